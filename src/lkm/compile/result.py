# SPDX-License-Identifier: MIT
"""What a build left in its directory, and what its log says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.compile.value import Part
from lkm.kbuild.diagnostics import UNDEFINED, is_consequence, parse_log
from lkm.kbuild.value import Diagnostic, Severity
from lkm.paths import make_dir

if TYPE_CHECKING:
    from lkm.compile.value import KernelBuilt

_IMAGES = {
    "arch/x86/boot/bzImage": "image", "arch/arm64/boot/Image": "image", "arch/arm64/boot/Image.gz": "image",
    "arch/riscv/boot/Image": "image", "arch/arm/boot/zImage": "image",
}  # fmt: skip
_PARTS = {"vmlinux": "kernel, an ELF file", "System.map": "symbol map", **_IMAGES}
# As dpkg-deb, rpmbuild and Kbuild (scripts/Makefile.package, scripts/package/buildtar) tell what they made.
_PACKAGE = re.compile(
    r"dpkg-deb: building package '[^']+' in '(?P<deb>[^']+\.deb)'|^Wrote: (?P<rpm>\S+\.rpm)$"
    r"|^  TAR     (?P<tar>\S+)$|^Tarball successfully created in (?P<old>\S+)$"
)
# What a tool told besides the cause.
_TOLD = re.compile(r": (?:note|warning): ")
# What dpkg-buildpackage leaves beside the packages.
_BESIDE = re.compile(r"^ ?dpkg-gen(?:buildinfo|changes) .*(?:-O|>)(?P<path>\S+\.(?:buildinfo|changes))$")


def find_parts(build: Path) -> tuple[Part, ...]:
    """vmlinux, System.map and the image, those that are there."""
    return tuple(
        Part(build / name, (build / name).stat().st_size, what)
        for name, what in _PARTS.items()
        if (build / name).is_file()
    )


def find_image(parts: Iterable[Part]) -> Path | None:
    """The image among them."""
    return next((part.path for part in parts if part.what == "image"), None)


def count_modules(build: Path) -> tuple[int, int]:
    """How many modules modules.order names that are there, and their bytes."""
    try:
        names = (build / "modules.order").read_text(encoding="utf-8").split()
    except OSError:
        return 0, 0
    files = [build / f"{Path(name).with_suffix('')}.ko" for name in names]
    sizes = [file.stat().st_size for file in files if file.is_file()]
    return len(sizes), sum(sizes)


def find_packages(lines: Iterable[str], build: Path) -> tuple[Path, ...]:
    """The packages that were made, by what the packagers said; .deb files are beside the build directory."""
    found = (next(filter(None, match.groups())) for line in lines if (match := _PACKAGE.search(line)))
    paths = dict.fromkeys((build / path).resolve() for path in found)
    return tuple(path for path in paths if path.is_file())


def gather_packages(lines: Sequence[str], build: Path, place: Path) -> tuple[Path, ...]:
    """`find_packages`, after those beside the build directory were moved to `place`, with dpkg's lists."""
    packages = find_packages(lines, build)
    beside = [(build / match["path"]).resolve() for line in lines if (match := _BESIDE.match(line))]
    for path in (*packages, *beside):
        if path.parent == build.parent.resolve() and path.is_file():
            path.rename(make_dir(place) / path.name)
    return tuple(path if path.is_file() else place / path.name for path in packages)


def needs_other_modules(built: KernelBuilt) -> bool:
    """Whether one module was to be built that calls others: modpost knows only those of the same call."""
    alone = any(target.endswith(".ko") for target in built.record.targets)
    return alone and any(UNDEFINED.search(item.text) for item in built.errors)


def read_diagnostics(lines: list[str], build: Path, *, failed: bool) -> tuple[Diagnostic, ...]:
    """Errors and warnings of a log, errors first, each in the order in which it came, each once.

    With several jobs the first error is the first that was said: what follows from it was said later.  A
    failure that nothing understood speaks of is told by the log's last words.
    """

    def real_path(text: str) -> Path:
        return Path(text) if text.startswith("/") else build / text

    targets = parse_log(lines, real_path=real_path, work=build)
    groups: list[list[Diagnostic]] = []
    for items in targets.values():
        for item in items:
            if item.severity is Severity.NOTE and groups:
                groups[-1].append(item)
            else:
                groups.append([item])
    unique = list({tuple(group): None for group in groups})
    ordered = sorted(unique, key=lambda group: group[0].severity is not Severity.ERROR)
    found = tuple(item for group in ordered for item in group)
    if failed and not any(item.severity is Severity.ERROR for item in found):
        said = [line for line in lines if line.strip() and line[0] != " " and not is_consequence(line)]
        said = [line for line in said if not _TOLD.search(line)]
        text = "; ".join(said[-3:]) or "make gave no reason"
        return (Diagnostic(None, 0, 0, Severity.ERROR, text), *found)
    return found
