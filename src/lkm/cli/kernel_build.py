# SPDX-License-Identifier: MIT
"""`lkm kernel build`: from a release, sources or a build directory to a kernel."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lkm.cli import common
from lkm.cli.kernel_built import BuildBar, interruptible, tell
from lkm.cli.kernel_fetch import fetch_sources
from lkm.cli.kernel_plan import tell_again, tell_steps
from lkm.errors import UsageError

if TYPE_CHECKING:
    from lkm.compile.place import Words
    from lkm.compile.value import KernelBuilt, Request
    from lkm.kconfig.tree import Tree

_DIRECTORY = click.Path(path_type=Path, file_okay=False)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the options say besides the words."""

    output: Path | None
    directory: Path | None
    name: str | None
    presets: tuple[str, ...]
    jobs: int | None
    mirror: str | None
    no_ccache: bool
    dry_run: bool


@click.command("build", short_help="Build a kernel.")
@click.argument("words", nargs=-1, metavar="[WHAT] [TARGET]... [VAR=VALUE]... [CONFIG_X=VALUE]...")
@click.option("-O", "output", type=_DIRECTORY, metavar="DIR", help="The build directory, as O= of make.")
@click.option("-C", "directory", type=_DIRECTORY, metavar="DIR", help="The sources, as -C of make.")
@click.option("--name", metavar="NAME", help="Its name (default: release and preset).")
@click.option(
    "--preset", "presets", multiple=True, metavar="NAME", help="Configure: guest, debug, class, tiny."
)
@click.option("-j", "--jobs", type=click.IntRange(1, 4096), metavar="N", help="Jobs (default: what fits).")
@click.option("--mirror", metavar="URL|DIR", help="Where sources come from, as of lkm kernel get.")
@click.option("--no-ccache", is_flag=True, help="Compile all of it, though ccache is here.")
@click.option(
    "--from-record",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Do the build of FILE (.lkm-build.json) again.",
)
@click.option("--dry-run", is_flag=True, help="Only show the commands.")
@common.json_option
@click.option("-v", "--verbose", is_flag=True, help="Show each command as it is run, and what make says.")
def command(
    *,
    words: tuple[str, ...],
    from_record: Path | None,
    as_json: bool,
    verbose: bool,
    **options: Any,
) -> int:
    """Build a kernel in a directory of its own, by its own make; what is finished is not built again.

    WHAT is a build directory with a .config, sources, an own kernel's name, or a release as of lkm kernel
    get: then it is got, verified and configured first. TARGET is one of make's: modules, bzImage,
    drivers/net/, fs/ext2/ext2.ko, bindeb-pkg; without one all of it is built. CONFIG_X=VALUE goes on top of
    --preset; VAR=VALUE is for make. The result names the files that took longest.

    \b
      lkm kernel build 6.12 --preset guest
      lkm kernel build 6.12 --preset guest CONFIG_LOCALVERSION=-lkp
      lkm kernel build -O build
      lkm kernel build build modules -j4
      lkm kernel build linux-6.12 -O build ARCH=arm64 \\
          CROSS_COMPILE=aarch64-linux-gnu-
      lkm kernel build build LLVM=1 W=1
    """
    from lkm import process
    from lkm.compile.place import parse_words

    if verbose:
        process.set_trace(lambda line: click.secho(f"+ {line}", dim=True, err=True))
    asked = _Asked(**options)
    parsed = parse_words(words)
    if asked.output is not None and parsed.output is not None:
        raise UsageError("-O and O= say the same thing", hint=f"-O {parsed.output}")
    with BuildBar(verbose=verbose) as bar:
        if from_record is not None:
            return _build_again(from_record, parsed, asked, bar, as_json=as_json)
        request = _find_request(parsed, asked, bar)
        if request is None:
            return 0
        built = _run(request, asked, bar)
    return tell(built, request.name, as_json=as_json)


def _run(request: Request, asked: _Asked, bar: BuildBar) -> KernelBuilt:
    """The build; ends with status 130 where it is interrupted."""
    from lkm.compile.build import build_kernel
    from lkm.compile.targets import find_unknown
    from lkm.kernel.own import find_own, register_own, remove_own

    fresh = bool(request.name) and find_own(request.name) is None
    if request.name:
        register_own(request.name, request.build)
    request = replace(request, jobs=asked.jobs, ccache=not asked.no_ccache)
    line = ["lkm", "kernel", "build", "-O", str(request.build), *request.targets]
    words = {**dict(request.tree.words), **request.words}
    line += [f"{name}={value}" for name, value in words.items()]
    with interruptible(bar, "what is finished is kept", line):
        built = build_kernel(request, progress=bar, on_line=bar.line)
    if fresh and find_unknown(built):
        remove_own(request.name)  # the link alone: a word mistyped makes no kernel
    return built


def _find_request(parsed: Words, asked: _Asked, bar: BuildBar) -> Request | None:
    """Sources and a configured build directory, made where they are not there; None for --dry-run."""
    from lkm.compile.needs import check_needs
    from lkm.compile.place import choose_suffix, is_release_name
    from lkm.compile.targets import settle_targets
    from lkm.compile.value import Request
    from lkm.kconfig.tree import is_tree
    from lkm.kernel.own import find_own

    what = parsed.what
    build = asked.output or parsed.output
    build = build.expanduser().absolute() if build is not None else None
    source: Path | None = asked.directory
    own = find_own(what) if what is not None and not Path(what).is_dir() else None
    if what is not None and own is not None:
        build = _one(build, own.build, what)
    elif what is not None and Path(what).expanduser().is_dir():
        place = Path(what).expanduser().absolute()
        if is_tree(place) and not (place / "include/config").is_dir():
            source = place
        else:
            build = _one(build, place, what)
    elif what is not None and is_release_name(what):
        _check_start(what, build, asked)
        if asked.dry_run:
            tell_steps(what, build, parsed, presets=asked.presets, jobs=asked.jobs)
            return None
        check_needs({}, {**parsed.tree_words, **parsed.words}, parsed.targets)
        kept = "nothing is configured yet"
        if ":" not in what:  # a clone or a package begins anew
            kept += f"; what was got of Linux {what} is kept"
        with interruptible(bar, kept, _same_line(parsed, asked)):
            source = fetch_sources(what, mirror=asked.mirror, presets=asked.presets, progress=bar)
    elif build is None and source is None:
        source, build = _here(parsed)
    elif source is None and build is not None and parsed.targets and not _knows_sources(build):
        raise _no_such(parsed.targets[0], build)
    tree = _read_tree(source, build, parsed)
    if build is None:
        build = _default_build(tree, parsed, asked)
    parsed = replace(parsed, targets=settle_targets(tree.path, build, parsed.targets))
    name = asked.name or _choose_name(build, tree.version, choose_suffix(parsed, asked.presets))
    request = Request(
        tree, build, parsed.targets, parsed.words, name=name if _is_whole(parsed.targets) else ""
    )
    if asked.dry_run:
        tell_steps("", build, parsed, presets=asked.presets, jobs=asked.jobs, request=request)
        return None
    _configure(tree, build, parsed, asked, bar)
    return request


def _same_line(parsed: Words, asked: _Asked) -> list[str]:
    """The line that was typed, without what does not matter for going on."""
    line = ["lkm", "kernel", "build", *filter(None, [parsed.what]), *parsed.targets]
    options = (
        ("-O", asked.output or parsed.output),
        ("-C", asked.directory),
        ("--name", asked.name),
        ("--mirror", asked.mirror),
        ("-j", asked.jobs),
    )
    line += [word for name, value in options if value is not None for word in (name, str(value))]
    line += [word for name in asked.presets for word in ("--preset", name)]
    line += [f"{name}={value}" for name, value in {**parsed.tree_words, **parsed.words}.items()]
    return [*line, *(f"CONFIG_{one}" for one in parsed.settings)]


def _choose_name(build: Path, version: str, suffix: str) -> str:
    """The name of one that is given none; where another directory has the obvious one, that is said."""
    from lkm.compile.place import choose_name
    from lkm.kernel.own import find_own

    name = choose_name(build, version, suffix)
    numbered = re.fullmatch(r"(.+)-\d+", name)
    obvious = find_own(numbered[1]) if numbered is not None and find_own(name) is None else None
    if obvious is not None and obvious.build != build.resolve():
        common.note(f"{obvious.full_name} is {obvious.build} already: this one is own:{name}")
    return name


def _check_start(what: str, build: Path | None, asked: _Asked) -> None:
    """Before anything is got: raises `UsageError` where there would be no configuration in the end."""
    from lkm.kernel.own import find_own

    named = find_own(asked.name) if asked.name is not None else None
    place = build or (named.build if named is not None else None)
    if not asked.presets and (place is None or not (place / ".config").is_file()):
        raise UsageError(
            f"Linux {what}: how is it to be configured?",
            hint=f"lkm kernel build {what} --preset guest; or lkm kernel configure -O DIR first",
        )


def _one(given: Path | None, found: Path, what: str) -> Path:
    if given is not None and given.resolve() != found.resolve():
        raise UsageError(
            f"{what} is a build directory of its own, and -O names another", hint=f"lkm kernel build {what}"
        )
    return found


def _here(parsed: Words) -> tuple[Path | None, Path | None]:
    """Without a word: the build directory here, or the sources here."""
    from lkm.kconfig.tree import find_source, is_tree

    here = Path.cwd()
    if is_tree(here):
        return here, None
    if (here / ".config").is_file() or find_source(here) is not None:
        return None, here
    if parsed.targets:
        raise _no_such(parsed.targets[0], here)
    raise UsageError(
        f"{here} is neither a build directory of a kernel nor its sources",
        hint="lkm kernel build 6.12 --preset guest, or -O DIR",
    )


def _knows_sources(build: Path) -> bool:
    from lkm.kconfig.tree import find_source, is_tree

    return find_source(build) is not None or is_tree(Path.cwd())


def _no_such(target: str, build: Path) -> UsageError:
    """A word that may be a target of make, where there is nothing to build it in."""
    from lkm.compile.place import find_near_directory

    near = find_near_directory(target)
    return UsageError(
        f"'{target}' is no build directory, no kernel's sources, no own kernel and no release; "
        f"as a target of make it needs a build directory, and {build} is none",
        hint=f"lkm kernel build {near}" if near else f"lkm kernel build -O DIR {target}",
    )


def _read_tree(source: Path | None, build: Path | None, parsed: Words) -> Tree:
    from lkm.cli.kernel_tree import find_tree
    from lkm.compile.record import read_build_record

    if source is None and build is not None and not _knows_sources(build):
        raise UsageError(f"{build}: its sources are not known", hint=f"lkm kernel build -O {build} -C DIR")
    words = dict(parsed.tree_words)
    record = read_build_record(build) if build is not None else None
    if record is not None:
        # What it was built with: another compiler would make all of it again.
        from lkm.kconfig.tree import MAKE_WORDS

        known = {name: value for name, value in record.variables.items() if name in MAKE_WORDS}
        if words.items() <= known.items():
            words = known
    return find_tree(str(source) if source is not None else None, build or Path.cwd(), words)


def _default_build(tree: Tree, parsed: Words, asked: _Asked) -> Path:
    """A build directory in the cache, by name."""
    from lkm.compile.place import base_name, choose_suffix
    from lkm.kernel.own import check_name, find_own, own_dir

    if asked.name is None and not asked.presets:
        raise UsageError(
            "where is it to be built, and as what?",
            hint=f"lkm kernel build {tree.path} --preset guest, or -O DIR",
        )
    name = asked.name or base_name(tree.version, choose_suffix(parsed, asked.presets))
    check_name(name)
    own = find_own(name)
    return own.build if own is not None else own_dir() / name


def _is_whole(targets: tuple[str, ...]) -> bool:
    return not any("/" in target or "." in target for target in targets)


def _configure(tree: Tree, build: Path, parsed: Words, asked: _Asked, bar: BuildBar) -> None:
    """Makes the configuration where there is none; one that is there must be what was asked for."""
    preset = "".join(f" --preset {name}" for name in asked.presets)
    on_top = "".join(f" {shlex.quote(str(one))}" for one in parsed.settings)
    from lkm.compile.needs import check_needs
    from lkm.compile.place import check_known, find_unmet
    from lkm.kconfig.configuration import Request, configure
    from lkm.kconfig.presets import read_preset
    from lkm.kernel.store import remove_directory

    if (build / ".config").is_file():
        unmet = find_unmet(build, asked.presets, parsed.settings)
        if unmet:
            check_known(tree, [one for one in parsed.settings if str(one) in unmet])
            what = [f"preset {', '.join(asked.presets)}"] * bool(preset) + [on_top.strip()] * bool(on_top)
            than = f" otherwise than {' and '.join(what)}" if preset else ", but not with"
            raise UsageError(
                f"{build} is configured{than}"
                f"{':' * bool(preset)} {', '.join(unmet[:4])}{' …' if len(unmet) > 4 else ''}",
                hint=f"lkm kernel configure -O {build}{preset}{on_top}; or another kernel: --name NAME",
            )
        return
    if not asked.presets:
        raise UsageError(
            f"{build}: no .config there, and no --preset to make one",
            hint=f"--preset guest; or lkm kernel configure -O {build} --tree {tree.path} defconfig",
        )
    # Now, not after configuring: what a configuration needs more is looked for when there is one.
    check_needs({}, {**dict(tree.words), **parsed.words}, parsed.targets, sources=tree.path)
    bar.update("configuring")
    fresh = not build.exists()
    settings = [setting for name in asked.presets for setting in read_preset(name).settings]
    settings += parsed.settings
    request = Request(target=read_preset(asked.presets[0]).base, settings=settings)
    kept = f"the sources are in {tree.path}, {build} is not configured yet"
    with interruptible(bar, kept, _same_line(parsed, asked)):
        made = configure(tree, build, request)
    for refusal in made.refusals:
        if refusal.setting in parsed.settings:
            # As before: so that the line is right as soon as the option is, and nothing is listed.
            made.path.unlink()
            if fresh:
                remove_directory(build)
            near = [f"CONFIG_{name}={refusal.setting.value}" for name in refusal.near[:1]]
            raise UsageError(
                f"CONFIG_{refusal.setting}: {refusal.reason}",
                hint=next(iter(near), f"lkm kernel configure -O {build} --tree {tree.path}{preset}{on_top}"),
            )
        common.note(f"not {refusal.setting}: {refusal.reason}", fg="yellow")
    common.note(f"configured: {made.path}, {made.options} options on", dim=True)


def _build_again(path: Path, parsed: Words, asked: _Asked, bar: BuildBar, *, as_json: bool) -> int:
    """A recorded build, done again elsewhere, and whether the same came of it."""
    from lkm.compile.again import find_differences, prepare_again, read_recipe
    from lkm.kernel.own import own_dir

    if parsed.what is not None or parsed.targets or parsed.words or parsed.settings or asked.presets:
        raise UsageError("--from-record says all that is to be done", hint="--from-record FILE [-O DIR]")
    record = read_recipe(path)
    build = asked.output or parsed.output or own_dir() / (asked.name or f"{record.name}-again")
    build = build.expanduser().absolute()
    if (build / ".config").is_file() and build.resolve() == Path(record.build).resolve():
        raise UsageError(f"{build} is where it was built; -O another directory", hint="-O /tmp/again")
    if asked.dry_run:
        tell_again(path, record, build)
        return 0
    bar.update("configuring")
    line = ["lkm", "kernel", "build", "--from-record", str(path), "-O", str(build)]
    with interruptible(bar, f"{build} is not configured yet", line):
        request = prepare_again(record, build)
    request = replace(request, name=asked.name or _choose_name(build, record.version, ""))
    built = _run(request, asked, bar)
    bar.close()
    status = tell(built, request.name, as_json=as_json)
    differences = find_differences(record, built) if built.ok else []
    for difference in differences:
        common.note(f"not as recorded: {difference}", fg="yellow")
    if built.ok and not differences:
        common.note(
            f"the same bytes as recorded: {', '.join(record.sha256) or 'nothing to compare'}", fg="green"
        )
    return status or int(bool(differences))
