# SPDX-License-Identifier: MIT
"""Where the parts of a kernel lie: a root with packages unpacked, a build or a modules directory."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from lkm.errors import BadInputError, UsageError
from lkm.kernel.compiler import Wanted, parse_config_arch, parse_wanted
from lkm.kernel.image import is_image, read_arch, read_release
from lkm.kernel.own import OwnKernel, find_unbuilt
from lkm.kernel.value import Kernel, Origin
from lkm.paths import cache_dir

_UTS_RELEASE = re.compile(r'#define UTS_RELEASE "([^"\s]{1,128})"')
# A headers package's Makefile (Debian: debian/rules.real, install-headers) names its place by absolute path.
_PLACE = re.compile(r"^(include|KBUILD_OUTPUT\s*=)\s*(/\S*)$", re.MULTILINE)
_IMAGES = ("boot/vmlinuz-{}", "usr/lib/modules/{}/vmlinuz", "lib/modules/{}/vmlinuz", "boot/vmlinux-{}")
_MODULES = ("usr/lib/modules/{}", "lib/modules/{}")
_BUILDS = ("usr/src/linux-headers-{}", "usr/src/kernels/{}")
_CONFIGS = ("boot/config-{}", "usr/lib/modules/{}/config", "lib/modules/{}/config")
_BUILT_IMAGES = (
    "arch/x86/boot/bzImage",
    "arch/arm64/boot/Image",
    "arch/riscv/boot/Image",
    "vmlinux",
)


@dataclass(frozen=True, slots=True)
class Found:
    """A kernel as it lies on disk (its toolchain not yet chosen) and the compiler it asks for."""

    kernel: Kernel
    wanted: Wanted | None


def find_in_root(root: Path, release: str, *, name: str, origin: Origin) -> Found:
    """The parts of the kernel `release` in a root directory (`/`, or one where packages were unpacked)."""
    image = _first(root, _IMAGES, release, is_image)
    modules = _first(root, _MODULES, release, Path.is_dir)
    build = _first(root, _BUILDS, release, is_build_directory)
    if build is None and modules is not None:
        link = modules / "build"
        target = root / str(link.readlink()).lstrip("/") if link.is_symlink() else link
        # An absolute link is meant inside the root; a relative one holds as it is.
        build = next((path for path in (target, link) if is_build_directory(path)), None)
    return describe(
        Kernel(
            name,
            release,
            "",
            origin,
            image=image,
            config=_first(root, _CONFIGS, release, Path.is_file),
            modules=modules,
            build=build.resolve() if build else None,
        )
    )


def _first(root: Path, places: tuple[str, ...], release: str, good: object) -> Path | None:
    assert callable(good)
    return next((path for place in places if good(path := root / place.format(release))), None)


def describe(kernel: Kernel) -> Found:
    """Fills in what the parts themselves say: configuration, machine, the compiler that is asked for."""
    config, build = kernel.config, kernel.build
    if build is not None and (build / ".config").is_file():
        config = build / ".config"  # the one Kbuild uses
    text = read_text(config) if config is not None else ""
    arch = kernel.arch or parse_config_arch(text)
    if not arch and kernel.image is not None:
        arch = read_arch(kernel.image)
    wanted = parse_wanted(text, has_btf=build is not None and (build / "vmlinux").is_file())
    return Found(replace(kernel, config=config, arch=arch), wanted)


def read_text(path: Path, limit: int = 4 << 20) -> str:
    """The text of a small file; "" where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""


def is_build_directory(path: Path) -> bool:
    """Whether `make -C path` can build modules: configured and prepared."""
    return (path / "Makefile").is_file() and read_build_release(path) != ""


def read_build_release(build: Path) -> str:
    """The release a build directory is for, or "".

    From utsrelease.h; Debian's `include/config/kernel.release` holds another number (6.1.192).
    """
    match = _UTS_RELEASE.search(read_text(build / "include/generated/utsrelease.h", 4096))
    return match[1] if match else read_text(build / "include/config/kernel.release", 256).strip()


def list_releases(root: Path) -> list[str]:
    """The releases of the kernels in a root where packages were unpacked."""
    names = {path.name for place in _MODULES for path in root.glob(place.format("*")) if path.is_dir()}
    names |= {path.name.removeprefix("vmlinuz-") for path in root.glob("boot/vmlinuz-*")}
    for place in _BUILDS:
        names |= {read_build_release(path) for path in root.glob(place.format("*"))}
    # `.old` is what was there before a kernel of the same release was installed (installkernel(8)).
    return sorted(name for name in names if name and not name.endswith(".old") and name[0] != ".")


def find_directory(path: Path, *, name: str = "") -> Found:
    """The kernel in a directory.

    A build directory (`O=` too), a headers package's directory, a root with packages unpacked by hand, or
    `lib/modules/RELEASE`.  Raises `BadInputError` where there is none, `UsageError` where there are several.
    """
    name, path = name or str(path), path.resolve()
    if is_build_directory(path):
        return _find_build(path, name)
    if path.parent.name == "modules" and path.parent.parent.name == "lib":
        root = path.parents[2].parent if path.parents[2].name == "usr" else path.parents[2]
        return _made_usable(find_in_root(root, path.name, name=name, origin=Origin.DIRECTORY))
    releases = list_releases(path)
    if len(releases) > 1:
        raise UsageError(
            f"{path} holds several kernels: {', '.join(releases)}",
            hint=f"--kernel {path}/lib/modules/{releases[-1]}",
        )
    if releases:
        return _made_usable(find_in_root(path, releases[0], name=name, origin=Origin.DIRECTORY))
    if (path / "Kbuild").is_file() and (path / "Makefile").is_file():
        step = "make modules_prepare" if (path / ".config").is_file() else "make defconfig && make"
        raise BadInputError(f"{path}: kernel sources that have not been built", hint=f"cd {path} && {step}")
    if (unbuilt := find_unbuilt(path, str(path))) is not None:
        raise unbuilt
    raise BadInputError(
        f"{path}: no kernel in this directory",
        hint="give a kernel build directory, or one where a kernel's packages were unpacked",
    )


def find_own_build(own: OwnKernel) -> Found:
    """The kernel that was built here under a name; parts that were not built are None."""
    config = own.build / ".config"
    if is_build_directory(own.build):
        found = _find_build(own.build, own.full_name)
    else:
        there = config if config.is_file() else None
        found = describe(Kernel(own.full_name, "", "", Origin.OWN, config=there))
    return replace(found, kernel=replace(found.kernel, origin=Origin.OWN))


def find_lost_sources(build: Path) -> Path | None:
    """The sources that a build directory was made from, where they are not there any more; else None."""
    makefile = read_text(build / "Makefile", 4096)
    if not makefile.startswith("# Automatically generated by "):  # the top Makefile, outputmakefile
        return None
    places = [Path(place) for kind, place in _PLACE.findall(makefile) if kind == "include"]
    return next((place.parent for place in places if not place.exists()), None)


def _find_build(path: Path, name: str) -> Found:
    release = read_build_release(path)
    parts = Kernel(name, release, "", Origin.DIRECTORY, build=path)
    image = next((path / place for place in _BUILT_IMAGES if _is_kernel(path / place)), None)
    if image is None and path.parent.name == "src" and path.parents[1].name == "usr":
        beside = find_in_root(path.parents[2], release, name=name, origin=Origin.DIRECTORY).kernel
        parts = replace(parts, image=beside.image, modules=beside.modules)
    elif image is not None:
        installed = [path / place.format(release) for place in _MODULES]  # INSTALL_MOD_PATH=. modules_install
        scattered = path if (path / "modules.order").is_file() else None
        modules = next((place for place in installed if place.is_dir()), scattered)
        parts = replace(parts, image=image, modules=modules)
    return _made_usable(describe(parts))


def _is_kernel(image: Path) -> bool:
    """Whether an image is one to boot; a headers package's `vmlinux` holds type information only."""
    if not is_image(image):
        return False
    try:
        return bool(read_release(image))
    except BadInputError:
        return False


def find_image(path: Path, *, name: str = "") -> Found:
    """The kernel a bare image file is, with what lies beside it where that is the same release.

    Raises `BadInputError` where the file is no kernel image.
    """
    name, path = name or str(path), path.resolve()
    release, arch = read_release(path), read_arch(path)
    kernel = Kernel(name, release, arch, Origin.IMAGE, image=path)
    built = next((path.parents[place.count("/")] for place in _BUILT_IMAGES if path.match(place)), None)
    if built is not None and read_build_release(built) == release:
        return _find_build(built, name)
    if path.parent.name == "boot":
        beside = find_in_root(path.parents[1], release, name=name, origin=Origin.IMAGE)
        return _made_usable(describe(replace(beside.kernel, image=path, arch=arch)))
    return Found(kernel, None)


def _made_usable(found: Found) -> Found:
    """`found` with a build directory whose Makefile names places that are there.

    Headers unpacked by hand name the places their package would have been installed to.  Nothing of the
    person's is changed: a small directory of links in the cache stands in for theirs.
    """
    build = found.kernel.build
    if build is None:
        return found
    makefile = read_text(build / "Makefile", 65536)
    places = [(kind, Path(place)) for kind, place in _PLACE.findall(makefile)]
    if all(place.exists() for _, place in places):
        return found
    if not all(
        (build.parent / place.parent.name / place.name).is_file()
        for kind, place in places
        if kind == "include"
    ):
        return replace(found, kernel=replace(found.kernel, build=None))  # the common headers are not there
    import hashlib

    key = hashlib.sha256(f"{build}\0{makefile}".encode()).hexdigest()[:16]
    shim = cache_dir() / "kernels" / "unpacked" / key
    if not (shim / "Makefile").is_file():
        from lkm.paths import locked, new_directory

        with locked(shim.parent / f".{key}.lock"), new_directory(shim) as part:
            for entry in build.iterdir():
                if entry.name != "Makefile":
                    (part / entry.name).symlink_to(entry)
            (part / "Makefile").write_text(fix_makefile(makefile, str(shim), str(build.parent)))
    return replace(found, kernel=replace(found.kernel, build=shim))


def fix_makefile(makefile: str, build: str, sources: str) -> str:
    """A headers package's Makefile with `build`, and `sources` in place of /usr/src."""

    def there(match: re.Match[str]) -> str:
        place = Path(match[2])
        if match[1] == "include":
            return f"include {sources}/{place.parent.name}/{place.name}"
        return f"KBUILD_OUTPUT={build}"

    return _PLACE.sub(there, makefile)
