# SPDX-License-Identifier: MIT
"""`lkm kernel configure`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lkm.cli import common
from lkm.cli.kernel_tree import find_output, find_tree, output_option, prompt_of, tree_option
from lkm.errors import LkmError, UsageError

if TYPE_CHECKING:
    from lkm.kconfig.configuration import Configured, Request
    from lkm.kconfig.dotconfig import Setting
    from lkm.kconfig.index import Index, Symbol
    from lkm.kconfig.refusal import Refusal
    from lkm.kconfig.tree import Tree

SCHEMA = 1
_WHYS = 3  # as many lines are tried; the rest is above
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options say besides target and OPTION=VALUE."""

    start: str | None
    presets: tuple[str, ...]
    fragments: tuple[Path, ...]
    modules_of: str | None
    hardware: str | None
    kernel_name: str | None
    answers: Path | None
    ask: bool


@click.command("configure", short_help="Make or change a kernel's configuration.")
@click.argument("words", nargs=-1, metavar="[TARGET] [set] [OPTION=VALUE]... [ARCH=...]")
@output_option
@tree_option
@click.option("--from", "start", metavar="NAME", help="Start from: running, debian:6.1, FILE, DIR.")
@click.option("--preset", "presets", multiple=True, metavar="NAME", help="guest, debug, class or tiny.")
@click.option("--fragment", "fragments", multiple=True, type=_FILE, metavar="FILE", help="Put FILE on top.")
@click.option("--modules-of", metavar="FILE|guest:KERNEL", help="For localmodconfig: whose modules.")
@click.option(
    "--for-hardware",
    "hardware",
    is_flag=False,
    flag_value="here",
    metavar="[FILE]",
    help="What drives this machine's devices, or those of FILE.",
)
@common.kernel_option
@click.option("--answers", type=_FILE, metavar="FILE", help="For oldconfig: the values of new options.")
@click.option("--ask", is_flag=True, help="For oldconfig: ask for the values of new options.")
@click.option("--all", "every", is_flag=True, help="Show all of long lists.")
@common.json_option
@common.verbose_option
def command(
    *,
    words: tuple[str, ...],
    output: Path | None,
    tree_name: str | None,
    every: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Make the configuration of a build directory by the kernel's own make and conf; change it by option.

    TARGET: allnoconfig, defconfig, tinyconfig, olddefconfig, oldconfig, localmodconfig, localyesconfig, or
    another of the kernel's. Without one the .config that is there is changed, or a preset's own start is
    taken. In this order: --from, TARGET, --preset, --fragment, OPTION=VALUE; the later wins, and is told.
    What was asked for and did not come about is said, with the reason; then the status is 1.

    \b
      lkm kernel configure -O build --tree linux-6.12 defconfig
      lkm kernel configure -O build set KASAN=y USB_ACM=m
      lkm kernel configure -O build --tree linux-6.12 --preset guest
      lkm kernel configure -O build --from debian:6.12 localmodconfig \\
          --modules-of other-machine.lsmod
      lkm kernel configure -O build --for-hardware
    """
    asked = _Asked(**options)
    start = _command_line(output, tree_name, asked)
    target, settings, make_words = split_words(words, start=start)
    place = _output(output, make_words)
    tree = find_tree(tree_name, place, make_words)
    if asked.hardware is not None and not (target or settings or asked.presets or asked.fragments):
        from lkm.cli.kernel_hardware import show_hardware

        start = _command_line(place if output is None else output, tree_name)
        start = " ".join([start, *(f"{name}={shlex.quote(value)}" for name, value in make_words.items())])
        return show_hardware(
            tree, place, asked.hardware, kernel_name=asked.kernel_name, start=start, as_json=as_json
        )
    import tempfile

    with tempfile.TemporaryDirectory(prefix="lkm-") as work, common.progress() as bar:
        request = _read_request(target, settings, asked, work=Path(work), bar=bar)
        made = _configure(tree, place, request)
    if as_json:
        common.emit_json({"schema": SCHEMA, "ok": made.ok, **common.to_plain(made)})
    else:
        # What a preset's own target makes nobody asked to be compared with.
        _show(made, tree, every=every, brief=bool(request.target and not target))
    return 0 if made.ok else 1


def _command_line(output: Path | None, tree_name: str | None, asked: _Asked | None = None) -> str:
    """The command as it was typed, without its words, for a hint."""
    given: list[tuple[str, object]] = [("-O", output), ("--tree", tree_name)]
    if asked is not None:
        given += [("--from", asked.start), *(("--preset", one) for one in asked.presets)]
        given += [("--fragment", one) for one in asked.fragments]
        given += [("--modules-of", asked.modules_of), ("--answers", asked.answers)]
    parts = [part for name, value in given if value is not None for part in (name, str(value))]
    return shlex.join(["lkm", "kernel", "configure", *parts, *(["--ask"] if asked and asked.ask else [])])


def split_words(
    words: Sequence[str], *, start: str = "lkm kernel configure"
) -> tuple[str, list[Setting], dict[str, str]]:
    """Target of make, options, and words for make; raises `UsageError` for what is none of them.

    `start`: the command before them, for the hint.
    """
    from lkm.kconfig.configuration import TARGETS
    from lkm.kconfig.dotconfig import parse_option
    from lkm.kconfig.tree import MAKE_WORDS

    target, settings, make_words = "", [], {}
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if equals and name in MAKE_WORDS:
            make_words[name] = value
        elif equals:
            settings.append(parse_option(word))
        elif word == "set" and index <= 1:
            continue
        elif word in TARGETS or word.endswith(("_defconfig", ".config")):
            if target:
                raise UsageError(
                    f"one target at a time, not {target} and {word}", hint="run it again for the other"
                )
            target = word
        else:
            raise _unknown_word(word, words, start)
    return target, settings, make_words


def _unknown_word(word: str, words: Sequence[str], start: str) -> UsageError:
    from difflib import get_close_matches

    from lkm.kconfig.configuration import TARGETS

    def instead(better: str) -> str:
        return f"{start} {' '.join(better if one == word else shlex.quote(one) for one in words)}"

    if word in ("why", "diff"):
        return UsageError(f"'{word}' is a verb of its own", hint=f"lkm kernel {word} --help")
    near = get_close_matches(word, TARGETS, n=1)
    if near:
        return UsageError(f"no target '{word}'", hint=instead(near[0]))
    if word.isupper():
        option = f"{word}=y" if "set" in words else f"set {word}=y"
        return UsageError(f"{word}: what is it to be?", hint=f"{instead(option)}, or lkm kernel why {word}")
    return UsageError(
        f"'{word}' is no target and no OPTION=VALUE", hint=f"targets: {', '.join(TARGETS[:5])}…"
    )


def _output(output: Path | None, make_words: dict[str, str]) -> Path:
    given = make_words.pop("O", None)
    if output is not None and given is not None:
        raise UsageError("-O and O= say the same thing", hint=f"-O {given}")
    place = find_output(output or (Path(given) if given else None), configured=False)
    from lkm.kconfig.tree import is_tree

    if is_tree(place):
        raise UsageError(
            f"{place} is kernel sources; a configuration is made in a directory of its own", hint="-O DIR"
        )
    return place


def _read_request(
    target: str, settings: list[Setting], asked: _Asked, *, work: Path, bar: common.Bar
) -> Request:
    """All that the command line says, read and in its order."""
    from lkm.kconfig.configuration import Request
    from lkm.kconfig.difference import find_config
    from lkm.kconfig.dotconfig import parse_settings, read_config_text
    from lkm.kconfig.presets import read_preset

    on_top: list[Setting] = []
    for name in asked.presets:
        preset = read_preset(name)
        on_top += preset.settings
        if not target and asked.start is None:
            target = preset.base
    for path in asked.fragments:
        on_top += parse_settings(read_config_text(path), where=path.name)
    _check(target, asked)
    answers = asked.answers
    return Request(
        target=target,
        start=find_config(asked.start, progress=bar) if asked.start is not None else None,
        settings=[*on_top, *settings],
        modules=_modules_file(asked.modules_of, work) if asked.modules_of is not None else None,
        answers=parse_settings(read_config_text(answers), where=answers.name) if answers else (),
        ask=ask_person if asked.ask else None,
    )


def _check(target: str, asked: _Asked) -> None:
    if asked.modules_of is not None and target not in ("localmodconfig", "localyesconfig"):
        raise UsageError("--modules-of is for localmodconfig and localyesconfig", hint="… localmodconfig")
    if (asked.answers is not None or asked.ask) and target != "oldconfig":
        raise UsageError("--answers and --ask are for oldconfig", hint="lkm kernel configure oldconfig")
    if asked.ask and not sys.stdin.isatty():
        raise UsageError("--ask needs a terminal", hint="--answers FILE")
    if asked.hardware is not None:
        raise UsageError(
            "--for-hardware shows a table; it takes no target and no options", hint="one after the other"
        )


def _modules_file(source: str, work: Path) -> Path:
    """A file of lsmod's lines: of another machine, or of a guest that is started to be asked."""
    from lkm.kconfig.hardware import format_lsmod, parse_lsmod

    provider, colon, name = source.partition(":")
    if provider == "guest" and colon and not Path(source).exists():
        from lkm.guest import Guest

        with Guest(name) as guest:
            names = [module.name for module in guest.modules()]
    else:
        try:
            text = Path(source).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UsageError(
                f"{source}: {error.strerror}", hint="lsmod > FILE, on the other machine"
            ) from error
        names = parse_lsmod(text, source=source)
    path = work / "lsmod"
    path.write_text(format_lsmod(names), encoding="utf-8")
    return path


def ask_person(symbol: Symbol | None, setting: Setting) -> str:
    """Asks for a new option's value on the terminal: an empty answer takes the default, ? shows the help."""
    from lkm.kconfig.refusal import find_wrong_value

    kind = symbol.kind if symbol is not None else ""
    prompt = symbol.prompt if symbol is not None else ""
    while True:
        answer: str = click.prompt(
            f"{prompt} ({setting.name}, {kind}; ? for help)", default=setting.value, err=True
        )
        if answer == "?":
            common.note(symbol.help if symbol is not None else "no help", dim=True)
        elif symbol is not None and (wrong := find_wrong_value(symbol, answer)):
            common.note(wrong)
        else:
            return answer


def _configure(tree: Tree, place: Path, request: Request) -> Configured:
    from lkm.kconfig.configuration import configure

    return configure(tree, place, request)


def _show(made: Configured, tree: Tree, *, every: bool, brief: bool) -> None:
    from lkm.kconfig.index import open_index
    from lkm.show.kconfig import format_configured

    index: Index | None = None
    if made.changes or made.dragged:
        try:
            index = open_index(tree)
        except LkmError as error:
            common.note(f"without prompts: {error.message}", dim=True)
    common.echo_lines(format_configured(made, prompt_of(index), every=every, brief=brief))
    # A module that no option stands for is nothing to ask about.
    refused = [one for one in made.refusals if one.setting.where != f"module {one.setting.name}"]
    if refused:
        _hint_refused(refused, made.path.parent)


def _hint_refused(refused: Sequence[Refusal], place: Path) -> None:
    """What to type for what did not come about: the values and names that were meant, and why of others."""
    from lkm.kconfig.refusal import Cause, find_meant

    meant = [(better, one.got) for one in refused if (better := find_meant(one)) is not None]
    others = [one for one in refused if find_meant(one) is None and one.cause is not Cause.NO_SYMBOL]
    # What is so already need not be set, unless there is nothing else to say.
    words = [str(better) for better, got in meant if better.value != got]
    if not words and not others:
        words = [str(better) for better, _ in meant]
    if words:
        common.hint(shlex.join(["lkm", "kernel", "configure", "-O", str(place), "set", *words]))
    for one in others[:_WHYS]:
        # With a value that it cannot have, why could say no more.
        option = one.setting.name if one.cause is Cause.TYPE else str(one.setting)
        common.hint(shlex.join(["lkm", "kernel", "why", option, "-O", str(place)]))
