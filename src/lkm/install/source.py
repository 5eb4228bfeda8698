# SPDX-License-Identifier: MIT
"""What of a kernel is to be installed, and whether it is whole."""

from __future__ import annotations

import os
from pathlib import Path

from lkm.compile import read_build_record
from lkm.errors import BadInputError, LkmError, UsageError
from lkm.install.value import Source
from lkm.kernel.image import read_arch, read_release
from lkm.kernel.layout import read_text
from lkm.kernel.value import Kernel, Origin
from lkm.modtree import iter_module_files
from lkm.modtree.built import ORDER, read_order
from lkm.module import read_module

# Make's words that decide which tools strip, sign and compress.
_WORDS = ("ARCH", "CROSS_COMPILE", "LLVM", "CC", "STRIP", "OBJCOPY")
_MAKE_ARCH = {"aarch64": "arm64", "riscv64": "riscv", "i686": "i386"}


def read_source(kernel: Kernel, *, force: bool = False) -> Source:
    """All that is to be installed of `kernel`; nothing is written.

    Raises `BadInputError` where it is not built, or its parts are of different releases or machines (with
    `force` that of the modules is not looked at), `UsageError` for an image alone.
    """
    build = _build_of(kernel)
    if kernel.image is None:
        raise _not_built(kernel)
    config = kernel.config
    text = read_text(config) if config is not None else ""
    if not text and kernel.modules is None and not force:
        raise UsageError(
            f"{kernel.name}: an image alone; nothing says whether it has modules, and there are none",
            hint="give the build directory or the root it came from; --force installs the image alone",
        )
    has_modules = "CONFIG_MODULES=y" in text if text else kernel.modules is not None
    modules: tuple[Path, ...] = ()
    tree = None
    if has_modules and build is not None:
        modules = _built_modules(kernel, build)
    elif has_modules:
        tree = kernel.modules
        if tree is None:
            raise BadInputError(
                f"{kernel.name}: its modules are not at hand (its configuration has CONFIG_MODULES=y)",
                hint=f"lkm kernel show {kernel.name}",
            )
        modules = tuple(sorted(iter_module_files(tree)))
    _check_same(kernel, kernel.image, modules, force=force)
    return Source(
        kernel,
        kernel.image,
        _find_map(kernel, build),
        config,
        build,
        tree,
        modules,
        has_modules,
        _make_words(kernel, build),
    )


def _build_of(kernel: Kernel) -> Path | None:
    """The build directory where the kernel itself was built there; a headers package is none."""
    build, image = kernel.build, kernel.image
    if build is None or (image is not None and not image.resolve().is_relative_to(build.resolve())):
        return None
    return build


def _not_built(kernel: Kernel) -> BadInputError:
    place = kernel.build or (kernel.config.parent if kernel.config else None)
    if kernel.origin in (Origin.HOST, Origin.DISTRIBUTION):
        return BadInputError(f"{kernel.name} has no image at hand", hint="lkm kernel list")
    return BadInputError(
        f"{kernel.name} is not built yet: it has no image",
        hint=f"lkm kernel build -O {place}" if place else "lkm kernel build",
    )


def _built_modules(kernel: Kernel, build: Path) -> tuple[Path, ...]:
    """The modules of a build; all that its `modules.order` names must be there."""
    if not (build / ORDER).is_file():
        raise BadInputError(
            f"{kernel.name}: its modules are not built (no {build / ORDER})",
            hint=f"lkm kernel build -O {build} modules; or make -C {build} modules",
        )
    paths = tuple(build / name for name in read_order(build))
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise BadInputError(
            f"{kernel.name}: {len(missing)} of {len(paths)} modules are not built, the first {missing[0]}",
            hint=f"lkm kernel build -O {build} modules; or make -C {build} modules",
        )
    return paths


def _check_same(kernel: Kernel, image: Path, modules: tuple[Path, ...], *, force: bool) -> None:
    """Image, build directory and modules are of one release and one machine."""
    release = read_release(image)
    if release != kernel.release:
        raise BadInputError(
            f"{kernel.name}: the image {image} is of {release}, the build directory or modules of "
            f"{kernel.release}",
            hint="build it again: lkm kernel build" if kernel.build else f"lkm kernel show {kernel.name}",
        )
    arch = read_arch(image)
    if kernel.arch and arch != kernel.arch:
        raise BadInputError(
            f"{kernel.name}: the image {image} is for {arch}, its configuration for {kernel.arch}",
            hint="build it again: lkm kernel build",
        )
    for path in {*modules[:1], *modules[-1:]} if not force else ():
        try:
            words = read_module(path).vermagic.split()
        except LkmError as error:
            raise BadInputError(f"{kernel.name}: {error.message}", hint="build the modules again") from error
        if words and words[0] != release:
            raise BadInputError(
                f"{kernel.name}: the module {path.name} was built for {words[0]}, the image is {release}",
                hint="build the modules again; --force installs them as they are",
            )


def _find_map(kernel: Kernel, build: Path | None) -> Path | None:
    assert kernel.image is not None
    places = [build / "System.map"] if build is not None else []
    places += [kernel.image.with_name(f"System.map-{kernel.release}")]
    if kernel.modules is not None:
        places.append(kernel.modules / "System.map")
    return next((path for path in places if path.is_file()), None)


def _make_words(kernel: Kernel, build: Path | None) -> tuple[str, ...]:
    """What make must be told as it was told for the build."""
    if build is None:
        return ()
    words: dict[str, str] = {}
    if kernel.arch != os.uname().machine and kernel.arch in _MAKE_ARCH:
        words["ARCH"] = _MAKE_ARCH[kernel.arch]
    record = read_build_record(build)  # None where it was built by hand
    if record is not None:
        words |= {name: record.variables[name] for name in _WORDS if record.variables.get(name)}
    return tuple(f"{name}={value}" for name, value in words.items())
