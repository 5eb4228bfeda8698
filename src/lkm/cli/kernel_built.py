# SPDX-License-Identifier: MIT
"""What `lkm kernel build` shows while it works and at its end."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lkm.cli import common
from lkm.errors import LkmError

if TYPE_CHECKING:
    from lkm.compile.value import KernelBuilt

SCHEMA = 1
_EVERY = 30.0  # seconds between two lines where there is no terminal
_SHOWN = 40  # diagnostics; the log has all of them


class BuildBar(common.Bar):
    """The bar of a build; where there is no terminal a line now and then, with -v what make says."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__()
        self._verbose = verbose
        self._last = 0.0
        self._said = ""
        self._text = ""

    def __enter__(self) -> BuildBar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def line(self, text: str) -> None:
        """A line of make's."""
        if self._verbose:
            click.echo(text, err=True)

    def update(
        self, what: str, done: int = 0, total: int | None = None, *, left: float | None = None
    ) -> None:
        if self._verbose:
            return
        if sys.stderr.isatty():
            super().update(what, done, total, left=left)
            return
        from lkm.show.compile import format_line

        now, text = time.monotonic(), format_line(what, done, total, left)
        if text != self._text and (what != self._said or now - self._last > _EVERY):
            common.note(text)
            self._said, self._last, self._text = what, now, text


@contextlib.contextmanager
def interruptible(bar: BuildBar, kept: str, line: Sequence[str]) -> Iterator[None]:
    """What is there where the block is interrupted, and the `line` that goes on; then status 130."""
    try:
        yield
    except KeyboardInterrupt:
        bar.close()
        common.note(f"interrupted; {kept}")
        common.hint(f"{shlex.join(line)} goes on")
        raise click.exceptions.Exit(130) from None


def tell(built: KernelBuilt, name: str, *, as_json: bool) -> int:
    """What came of it: diagnostics on standard error, the result on standard output."""
    from lkm.compile.result import find_image, needs_other_modules
    from lkm.compile.targets import find_empty
    from lkm.show.compile import format_built, format_install
    from lkm.show.diagnostics import count_line, format_diagnostics

    header, header_words = _read_header(built)
    if as_json:
        common.emit_json(_to_json(built, name, header))
        return 0 if built.ok else 1
    shown = built.diagnostics[:_SHOWN]
    click.echo(
        format_diagnostics(shown, color=sys.stderr.isatty(), base=built.log.parent), err=True, nl=False
    )
    if len(shown) < len(built.diagnostics):
        common.note(f"and {len(built.diagnostics) - len(shown)} more: {built.log}", dim=True)
    if not built.ok:
        common.note(f"not built: {count_line(built.diagnostics)}; log: {built.log}", fg="red")
        if needs_other_modules(built):
            common.hint(f"with the modules that it calls: lkm kernel build -O {built.log.parent} modules")
        else:
            common.hint(_near_hint(built) or f"the same by hand: {built.command}")
        return 1
    common.echo_lines(format_built(built, f"own:{name}" if name else "", header_words))
    for target in find_empty(built.log.parent, built.record.targets):
        common.note(f"nothing in {target} is on in this configuration", fg="yellow")
    if line := format_install(built.packages):
        common.hint(f"{line} installs the kernel")
    image = find_image(built.parts)
    if name and image is not None:
        common.hint(_next_steps(f"own:{name}", image))
    return 0


def _near_hint(built: KernelBuilt) -> str:
    """What was meant by a target that make does not know; "" where it knows them all, or nobody knows."""
    from lkm.compile.targets import find_near_target, find_option, find_unknown
    from lkm.kconfig.dotconfig import read_config

    target, tree = find_unknown(built), Path(built.record.tree)
    if not target:
        return ""
    near = find_near_target(tree, target)
    if not near:
        return f"make -C {tree} help lists what it can make"
    if near != target:
        return f"a variable of make's: {near}" if "=" in near else f"its target: {near}"
    build, option = built.log.parent, find_option(tree, target)
    off = bool(option) and read_config(build / ".config").get(option, "n") == "n"
    why = f"{option} is off: lkm kernel why {option} -O {build}" if off else ""
    return why or f"{Path(target).parent}/Makefile says which option builds it"


def _next_steps(name: str, image: Path) -> str:
    """What can be done with a kernel: guests are of this machine's kind."""
    from lkm.kernel.image import read_arch

    arch = read_arch(image)
    if arch == os.uname().machine:
        return f"lkm run --kernel {name}; lkm kernel boot {name}"
    return f"lkm kernel show {name}; lkm kernel install {name} --root DIR; it is for {arch}: no guest runs it"


def _read_header(built: KernelBuilt) -> tuple[Any, str]:
    """What the image's header says, in values and in a few words; (None, "") where it has none."""
    from lkm.compile.result import find_image
    from lkm.kernel.image import read_header
    from lkm.show.compile import format_header
    from lkm.show.image import image_json

    image = find_image(built.parts)
    try:
        header = read_header(image) if image is not None else None
    except LkmError:
        header = None
    return (image_json(header), format_header(header)) if header is not None else (None, "")


def _to_json(built: KernelBuilt, name: str, header: Any) -> dict[str, Any]:
    record = {key: value for key, value in common.to_plain(built.record).items() if key != "config"}
    return {
        "schema": SCHEMA,
        "ok": built.ok,
        "name": f"own:{name}" if name else None,
        "release": built.record.release,
        "seconds": round(built.seconds, 3),
        "steps": built.steps,
        "jobs": built.jobs,
        "parts": built.parts,
        "header": header,
        "modules": {"count": built.modules[0], "size": built.modules[1]},
        "packages": built.packages,
        "slowest": built.slowest,
        "ccache": built.cached,
        "diagnostics": built.diagnostics,
        "log": built.log,
        "command": built.command,
        "record": record,
    }
