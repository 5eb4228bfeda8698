# SPDX-License-Identifier: MIT
"""`lkm build`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lkm.cli import common
from lkm.errors import UsageError
from lkm.kbuild import Built, build
from lkm.kernel import find_kernel
from lkm.show.diagnostics import count_line, format_diagnostics, symbols_hint

SCHEMA = 1


@click.command(short_help="Build a module with the kernel's own Kbuild.")
@click.argument("words", nargs=-1, metavar="[DIR|FILE.c] [KEY=VALUE]...")
@common.kernel_option
@click.option("-j", "--jobs", type=click.IntRange(1), metavar="N", help="Compilers at once.")
@click.option("--in-place", is_flag=True, help="Build in the source's own directory, as make by hand does.")
@click.option("--clean", is_flag=True, help="Forget what was built before.")
@click.option(
    "--compile-commands", is_flag=True, help="Put compile_commands.json into the source, for editors."
)
@click.option("--timeout", type=click.FloatRange(1), default=600.0, metavar="SECONDS", help="For the build.")
@common.directory_option
@common.json_option
@common.verbose_option
def command(
    *,
    words: tuple[str, ...],
    kernel_name: str | None,
    jobs: int | None,
    in_place: bool,
    clean: bool,
    compile_commands: bool,
    timeout: float,
    directory: Path | None,
    as_json: bool,
) -> int:
    """Build the modules of a directory with a Kbuild file (default: here), or of one C file.

    The source stays as it is: the work is done in the cache, apart for each kernel. KEY=VALUE words go to
    Kbuild (W=1, C=1, KCFLAGS=-DDEBUG, ARCH=arm64). Prints the .ko files in the order to load them in.

    \b
      lkm build                                   the module source in this directory
      lkm build hello.c                           a lone C file
      lkm build examples/hello --kernel debian:6.1
      lkm build W=1 KCFLAGS=-DDEBUG
    """
    here = directory or Path()
    source, settings = _split(words, here)
    with common.progress() as bar:
        kernel = find_kernel(kernel_name, start=here, progress=bar)
        built = build(
            source,
            kernel=kernel,
            jobs=jobs,
            in_place=in_place,
            make_words=settings,
            on_line=(lambda line: _tell(bar, line)) if sys.stderr.isatty() else None,
            timeout=timeout,
            clean=clean,
            compile_commands=compile_commands,
        )
    if as_json:
        common.emit_json(_json(built))
    else:
        _show(built)
        if built.ok and built.how != "nothing":
            _warn(built)
    return 0 if built.ok else 1


def _split(words: tuple[str, ...], here: Path) -> tuple[Path, list[str]]:
    """The one source, and the settings for make."""
    settings = [word for word in words if "=" in word and not (here / word).exists()]
    sources = [word for word in words if word not in settings]
    if len(sources) > 1:
        raise UsageError(
            f"one module source at a time, not {len(sources)}",
            hint=f"lkm run {' '.join(sources)} builds all, each with what those before it export",
        )
    return (here / sources[0] if sources else here), settings


def _tell(bar: common.Bar, line: str) -> None:
    """What Kbuild is at, on a terminal: `  CC [M]  …/hello.o`, without the directories."""
    words = line.split()
    if line.startswith("  ") and len(words) > 1 and words[0].isupper():
        bar.update(f"{words[0]} {Path(words[-1]).name}")


def _show(built: Built) -> None:
    shown = format_diagnostics(built.diagnostics, color=sys.stderr.isatty())
    click.echo(shown, err=True, nl=False)
    for module in built.modules:
        click.echo(module)
    if built.ok:
        tail = count_line(built.diagnostics)
        common.note(
            f"built for {built.kernel.release} in {built.seconds:.2f} s ({built.how})"
            + (f", {tail}" if tail else ""),
            fg="green",
        )
    else:
        common.note(f"not built for {built.kernel.release}: {count_line(built.diagnostics)}", fg="red")
        if text := symbols_hint(built.diagnostics, kernel=built.kernel.name):
            common.hint(text)


def _warn(built: Built) -> None:
    """What is certain already of loading the modules just built, where it is not as usual."""
    from lkm.errors import LkmError
    from lkm.verdict import Situation, check_module, read_ground, read_neighbours

    try:
        ground = read_ground(built.kernel)
        neighbours = read_neighbours(built.modules) if len(built.modules) > 1 else {}
        verdicts = [check_module(path, ground, Situation(neighbours=neighbours)) for path in built.modules]
    except LkmError:
        return  # a kernel that cannot be read is no fault of the build
    for verdict in verdicts:
        told = dict.fromkeys(one.why for one in verdict.findings if one.fatal or one.rule not in _USUAL)
        for why in told:
            what = f"will not load ({verdict.error})" if not verdict.loads else "warning"
            common.note(f"{verdict.module}: {what}: {why}", fg="yellow")
        if not verdict.loads:
            common.note(f"  lkm check --explain {verdict.path}", dim=True)


# What every module built outside the kernel's tree does.
_USUAL = ("taints", "forced")


def _json(built: Built) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "ok": built.ok,
        "source": built.source,
        "kernel": {"name": built.kernel.name, "release": built.kernel.release, "arch": built.kernel.arch},
        "modules": built.modules,
        "diagnostics": built.diagnostics,
        "output": built.output,
        "how": built.how,
        "seconds": round(built.seconds, 6),
        "log": built.log,
    }
