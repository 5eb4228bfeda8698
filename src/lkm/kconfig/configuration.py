# SPDX-License-Identifier: MIT
"""Making a configuration: where it starts, what is put on top, and what came of it.

The kernel's own `conf` decides each step; what differs from what was asked for is said with the reason.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import BadInputError, LkmError, UsageError
from lkm.kconfig.conf import check_output, list_new, run_target
from lkm.kconfig.dotconfig import Change, Setting, compare, format_setting, parse_config, read_config_text
from lkm.kconfig.hardware import parse_lsmod
from lkm.kconfig.index import Index, Symbol, open_index
from lkm.kconfig.makefiles import find_options
from lkm.kconfig.refusal import (
    Cause,
    Refusal,
    explain_refusal,
    find_refusals,
    find_wrong_value,
)
from lkm.kconfig.tree import Tree, check_clean
from lkm.kernel.own import is_building, refuse_building
from lkm.paths import make_dir

# Targets that need a .config to start from, and those after which everything not asked for stays off.
FROM_CONFIG = (
    "oldconfig",
    "olddefconfig",
    "localmodconfig",
    "localyesconfig",
    "mod2yesconfig",
    "yes2modconfig",
)
FROM_NOTHING = ("allnoconfig", "tinyconfig")
TARGETS = (*FROM_NOTHING, "defconfig", "alldefconfig", "allmodconfig", "allyesconfig", *FROM_CONFIG)
_ROUNDS = 20

# Asked about a new option: its symbol (None where Kconfig files could not say) and default; gives its value.
Ask = Callable[[Symbol | None, Setting], str]


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be made.

    `target`: of make, or "" to go on from the .config that is there.  `start`: a configuration to start from.
    `settings`: what is asked for on top, later ones win.  `modules`: a file of `lsmod`'s lines, for
    localmodconfig.  `answers`: for options that are new to the configuration.  `ask`: asked about those.
    """

    target: str = ""
    start: Path | None = None
    settings: Sequence[Setting] = ()
    modules: Path | None = None
    answers: Sequence[Setting] = ()
    ask: Ask | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """One option that was asked for with two values; the later holds."""

    first: Setting
    then: Setting


@dataclass(frozen=True, slots=True)
class Configured:
    """A configuration that was made.

    `path`: the .config.  `settings`: what was asked for, each once.  `refusals`: what did not come about.
    `changes`: from before the settings to after, and for a target alone from the .config that was there.
    `dragged`: those changes that were not asked for.  `forgotten`: options of the start this tree has not.
    `unused`: answers that were not needed.
    """

    path: Path
    version: str
    arch: str
    steps: tuple[str, ...]
    options: int
    settings: tuple[Setting, ...]
    conflicts: tuple[Conflict, ...]
    refusals: tuple[Refusal, ...]
    changes: tuple[Change, ...]
    dragged: tuple[Change, ...]
    forgotten: tuple[str, ...]
    unused: tuple[Setting, ...]

    @property
    def ok(self) -> bool:
        """Whether all that was asked for came about."""
        return not self.refusals


def configure(tree: Tree, output: Path, request: Request) -> Configured:
    """Makes OUTPUT/.config; on an error the one that was there stays.

    Raises `UsageError` for a target that the tree has not, for one that needs a configuration where there is
    none, and where a build is going on in OUTPUT; `BadInputError` where make or conf refuses.
    """
    check_clean(tree)
    check_output(output)
    if is_building(output):
        raise refuse_building(output)
    config = make_dir(output) / ".config"
    start = read_config_text(request.start) if request.start is not None else None
    steps: list[str] = []
    with _kept(config):
        before = _read(config)
        if start is not None:
            config.write_text(start, encoding="utf-8")
        _run_base(tree, output, request, before if start is None else parse_config(start), steps)
        index = _read_index(tree, request)
        new, unused = _answer(tree, output, index, request, steps)
        settings, conflicts = merge_settings([*new, *request.settings])
        base = _read(config) or {}
        if request.settings:
            assert index is not None
            _settle(tree, output, index, settings, target=request.target, steps=steps)
        elif not request.target:
            steps.append(run_target(tree, output, "olddefconfig").command)
        after = _read(config) or {}
        if not after:
            raise BadInputError(f"no configuration came of it: {config}")
    changes = compare(base if request.settings else before or {}, after)
    forgotten: list[str] = []
    if start is not None and index is not None:
        known = set(index.names())
        forgotten = [
            name for name, value in parse_config(start).items() if value != "n" and name not in known
        ]
    return Configured(
        path=config,
        version=tree.version,
        arch=tree.arch,
        steps=tuple(steps),
        options=sum(value in ("y", "m") for value in after.values()),
        settings=tuple(settings.values()),
        conflicts=tuple(conflicts),
        refusals=() if index is None else tuple(_find_all_refusals(index, request, settings, after)),
        changes=tuple(changes) if before is not None or request.settings else (),
        dragged=tuple(one for one in changes if one.name not in settings) if request.settings else (),
        forgotten=tuple(forgotten),
        unused=tuple(unused),
    )


def _read_index(tree: Tree, request: Request) -> Index | None:
    """The tree's options, where something is to be said of them; a target alone needs none.

    So a tree with words that kconfiglib does not know can be configured, as long as no option is asked for.
    """
    if request.settings or request.answers or request.ask is not None or request.modules is not None:
        return open_index(tree)
    if request.start is None and request.target != "oldconfig":
        return None
    try:
        return open_index(tree)
    except LkmError:
        return None


def _find_all_refusals(
    index: Index, request: Request, settings: Mapping[str, Setting], values: Mapping[str, str]
) -> Iterator[Refusal]:
    yield from find_refusals(index, settings, values)
    if request.modules is not None:
        yield from find_absent(index, request.modules, values)


@contextlib.contextmanager
def _kept(config: Path) -> Iterator[None]:
    """Puts the .config that was there back where the block fails."""
    old = config.read_bytes() if config.exists() else None
    try:
        yield
    except BaseException:
        if old is not None:
            config.write_bytes(old)
        else:
            config.unlink(missing_ok=True)
        raise


def _read(config: Path) -> dict[str, str] | None:
    return parse_config(config.read_text(encoding="utf-8", errors="replace")) if config.exists() else None


def _run_base(
    tree: Tree, output: Path, request: Request, there: Mapping[str, str] | None, steps: list[str]
) -> None:
    """Runs the target, where it is not one whose questions are answered later."""
    target = request.target
    if (not target or target in FROM_CONFIG) and there is None:
        # Kbuild would go and take this machine's own configuration, without a word.
        raise UsageError(
            f"{output}: there is no .config to go on from",
            hint="--from running, --from debian:6.12, --from FILE, or a target: defconfig",
        )
    if target in ("", "oldconfig"):
        return
    settings = {"LSMOD": str(request.modules.absolute())} if request.modules is not None else {}
    # configfiles in scripts/kconfig/Makefile, which in 6.1 merges nothing, without a word.
    places = [tree.path / "kernel/configs", tree.path / "arch" / tree.arch / "configs"]
    if target.endswith(".config") and not any((place / target).exists() for place in places):
        raise _no_target(tree, output, target)
    try:
        steps.append(run_target(tree, output, target, settings=settings).command)
    except BadInputError as error:
        if "Can't find default configuration" in error.message:  # conf.c, of a _defconfig
            raise _no_target(tree, output, target) from None
        raise


def _no_target(tree: Tree, output: Path, target: str) -> UsageError:
    from difflib import get_close_matches

    places = ("kernel/configs/*.config", f"arch/{tree.arch}/configs/*config")
    files = sorted({path.name for place in places for path in tree.path.glob(place)})
    words = "".join(f" {name}={value}" for name, value in tree.words if name == "ARCH")
    near = get_close_matches(target, [*TARGETS, *files], n=2)
    lines = [f"lkm kernel configure -O {output}{words} {one}" for one in near]
    return UsageError(
        f"Linux {tree.version} has no {target} for {tree.arch}",
        hint=", or ".join(lines) or f"those it has: {', '.join(files)}",
    )


def find_absent(index: Index, modules: Path, values: Mapping[str, str]) -> Iterator[Refusal]:
    """The modules of a machine that a configuration made for it does not build, with the reason.

    streamline_config.pl takes options away only: what was off where it started from stays off.
    """
    options = find_options(index)
    for name in parse_lsmod(modules.read_text(encoding="utf-8"), source=str(modules)):
        builders = options.get(name.replace("-", "_"), [])
        if any(values.get(option, "n") != "n" for option in builders):
            continue
        where = f"module {name}"
        if not builders:
            setting = Setting(name, "m", where)
            yield Refusal(setting, None, Cause.NO_SYMBOL, "no Makefile of this kernel builds it")
            continue
        refusal = explain_refusal(index, Setting(builders[0], "m", where), values)
        if refusal.cause is Cause.OTHER:
            reason = "it was off where this started from"
            refusal = Refusal(refusal.setting, refusal.got, refusal.cause, reason)
        yield refusal


def _answer(
    tree: Tree, output: Path, index: Index | None, request: Request, steps: list[str]
) -> tuple[list[Setting], list[Setting]]:
    """Answers the questions of oldconfig: what was set by it, and the answers no question was asked for."""
    if request.target != "oldconfig":
        return [], list(request.answers)
    config = output / ".config"
    given = {one.name: one for one in request.answers}
    taken: dict[str, Setting] = {}
    for _ in range(_ROUNDS):
        new = {name: value for name, value in list_new(tree, output).items() if name not in taken}
        if not new:
            break
        for name, default in new.items():
            setting = given.pop(name, None)
            if setting is None and request.ask is not None:
                value = request.ask(index.find(name) if index else None, Setting(name, default, "default"))
                setting = Setting(name, value, "answered")
            taken[name] = setting or Setting(name, default, "default")
            with config.open("a", encoding="utf-8") as file:
                file.write(_line(index, taken[name]))
    steps.append(run_target(tree, output, "olddefconfig").command)
    return [one for one in taken.values() if one.where != "default"], list(given.values())


def _settle(
    tree: Tree,
    output: Path,
    index: Index,
    settings: Mapping[str, Setting],
    *,
    target: str,
    steps: list[str],
) -> None:
    """Has conf take the settings; one out of range stays as it was, where conf would take the nearest end."""
    config = output / ".config"
    text = config.read_bytes()
    apply_settings(tree, output, index, settings.values(), target=target, steps=steps)
    refusals = find_refusals(index, settings, _read(config) or {})
    outside = {one.setting.name for one in refusals if one.cause is Cause.RANGE}
    if outside:
        config.write_bytes(text)
        inside = [one for name, one in settings.items() if name not in outside]
        apply_settings(tree, output, index, inside, target=target, steps=steps)


def apply_settings(
    tree: Tree,
    output: Path,
    index: Index,
    settings: Iterable[Setting],
    *,
    target: str,
    steps: list[str],
) -> None:
    """Has conf take `settings` into OUTPUT/.config; after allnoconfig the rest stays off."""
    config = output / ".config"
    # conf looks at a bool's first letter alone: `nonsense` would turn it off.
    lines = "".join(_line(index, one) for one in settings if not _is_wrong(index, one))
    text = config.read_text(encoding="utf-8", errors="replace") + "\n" + lines
    if target in FROM_NOTHING:
        wanted = output / ".lkm.config"
        wanted.write_text(text, encoding="utf-8")
        all_config = {"KCONFIG_ALLCONFIG": str(wanted)}
        steps.append(run_target(tree, output, "allnoconfig", settings=all_config).command)
        wanted.unlink(missing_ok=True)
    else:
        config.write_text(text, encoding="utf-8")
        steps.append(run_target(tree, output, "olddefconfig").command)


def _is_wrong(index: Index, setting: Setting) -> bool:
    symbol = index.find(setting.name)
    return symbol is not None and find_wrong_value(symbol, setting.value) != ""


def _line(index: Index | None, setting: Setting) -> str:
    symbol = index.find(setting.name) if index is not None else None
    return format_setting(setting.name, setting.value, kind=symbol.kind if symbol is not None else "")


def merge_settings(settings: Sequence[Setting]) -> tuple[dict[str, Setting], list[Conflict]]:
    """Each option once, the later value; and those that were asked for with two."""
    merged: dict[str, Setting] = {}
    conflicts = []
    for setting in settings:
        earlier = merged.get(setting.name)
        if earlier is not None and earlier.value != setting.value:
            conflicts.append(Conflict(earlier, setting))
        merged[setting.name] = setting
    return merged, conflicts
