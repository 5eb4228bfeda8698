# SPDX-License-Identifier: MIT
"""A kernel's build for a person: how far it is, and what came of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.show.diagnostics import count_line
from lkm.show.size import format_size

if TYPE_CHECKING:
    from lkm.compile.value import KernelBuilt
    from lkm.kernel.arm64_header import Arm64Header
    from lkm.kernel.setup_header import SetupHeader

_SHOWN_SLOW = 5


def format_seconds(seconds: float) -> str:
    """`8.1 s`, `3 min 5 s`, `1 h 20 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def format_left(seconds: float | None) -> str:
    """`about 3 min left`; "" where it is not known.  Rounded to what an estimate is worth."""
    if seconds is None:
        return ""
    if seconds < 50:
        return f"about {max(round(seconds / 10) * 10, 10)} s left"
    if seconds < 5400:
        return f"about {max(round(seconds / 60), 1)} min left"
    return f"about {seconds / 3600:.1f} h left"


def format_line(what: str, done: int, total: int | None, left: float | None) -> str:
    """`compiling: 140 of about 472 steps, about 3 min left`; `140 steps so far` where no total is known."""
    if total is None:
        return f"{what}: {done} step{'s' * (done > 1)} so far" if done else what
    return ", ".join(part for part in (f"{what}: {done} of about {total} steps", format_left(left)) if part)


def format_header(header: SetupHeader | Arm64Header) -> str:
    """What the image's header says, in one line; `lkm kernel show` has all of it."""
    from lkm.kernel.setup_header import SetupHeader

    if not isinstance(header, SetupHeader):
        pages = f", {header.page_size >> 10} KiB pages" if header.page_size else ""
        stub = "EFI stub" if header.efi_stub else "no EFI stub"
        return f"arm64, takes {format_size(header.image_size)} of memory{pages}, {stub}"
    words = [f"boot protocol {header.protocol}"]
    if header.payload is not None:
        packing = header.payload.packing.value if header.payload.packing is not None else "packed"
        words.append(f"{packing}, unpacks to {format_size(header.payload.unpacked)}")
    words.append("EFI stub" if header.efi_stub else "no EFI stub")
    return ", ".join(words)


def format_install(packages: Iterable[Path]) -> str:
    """The line that installs a kernel's Debian packages; "" where there are none.

    Not among them: linux-libc-dev, which is the distribution's to give, and debug information.
    """
    files = [
        str(path)
        for path in packages
        if path.name.startswith(("linux-image-", "linux-headers-"))
        and path.suffix == ".deb"
        and "-dbg_" not in path.name
    ]
    return shlex.join(["sudo", "dpkg", "-i", *files]) if files else ""


def format_built(built: KernelBuilt, name: str, header: str) -> Iterator[str]:
    """What came of a build: its parts with sizes, times, the slowest files, ccache.

    Of a build of some targets only no kernel is told: what lies there may be of another time.
    """
    record = built.record
    steps = f"{built.steps} step{'s' * (built.steps > 1)}" if built.steps else "nothing was to be made again"
    alone = record.targets == ["modules"]  # the image is of another time
    whole = record.is_whole and not alone
    what = f"built {record.release or record.version}" if whole else f"made {' '.join(record.targets)}"
    yield (
        f"{what} in {format_seconds(built.seconds)}: {steps}, "
        f"{built.jobs.count} job{'s' * (built.jobs.count > 1)} ({built.jobs.why})"
    )
    base = built.log.parent
    for part in built.parts if whole else ():
        yield f"  {os.path.relpath(part.path, base):26} {format_size(part.size):>10}  {part.what}"
        if part.what == "image" and header:
            yield f"    {header}"
    if built.modules[0] and (whole or alone):
        count = f"{built.modules[0]} module{'s' * (built.modules[0] > 1)}"
        yield f"  {count:26} {format_size(built.modules[1]):>10}"
    for package in built.packages:
        yield f"  {package}  {format_size(package.stat().st_size)}"
    if built.slowest and built.steps > _SHOWN_SLOW:
        for step in built.slowest[:_SHOWN_SLOW]:
            target = os.path.relpath(step.target, base) if step.target.startswith("/") else step.target
            label = "slowest:" if step is built.slowest[0] else ""
            yield f"  {label:8} {step.seconds:6.1f} s  {target}"
    if built.cached is not None and built.steps:
        hits, misses = built.cached.hits, built.cached.misses
        yield f"  ccache: {hits} of {hits + misses} compilations taken from it, make's own tests counted"
    if counted := count_line(built.diagnostics):
        yield f"  {counted}"
    if record.source is not None:
        yield f"  sources: {record.source.get('message', '')}"
    yield f"  on disk: {format_size(record.on_disk)}; log: {built.log}"
    yield f"  by hand: {built.command}"
    if whole:
        yield f"  again, elsewhere: lkm kernel build --from-record {base}"
    if name:
        yield f"kernel {name}"
