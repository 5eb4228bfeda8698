# SPDX-License-Identifier: MIT
"""From a kernel's name to the kernel: the running one, a distribution's, a directory or an image file.

A kernel in the cache is found by reading a few small files; nothing else is imported or started.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from lkm.config import find_config, read_config
from lkm.errors import LkmError, MissingError, UsageError
from lkm.kernel.compiler import Wanted, find_host_toolchain, missing_tools
from lkm.kernel.layout import Found, describe, find_directory, find_image, find_in_root
from lkm.kernel.names import choose_named, is_words, read_codename
from lkm.kernel.store import Stored, find_stored, list_stored, remove_directory, sweep
from lkm.kernel.toolchain import find_cage_problem, find_toolchain, list_toolchains
from lkm.kernel.value import Kernel, Origin, Toolchain
from lkm.progress import Progress, Silent

HOST = "host"
_PROVIDERS = ("debian", "ubuntu", "fedora", "arch")
_SERIES = re.compile(r"\d+\.\d+")
_PREFIX = re.compile(r"([a-z]+)(?::(.*))?", re.DOTALL)


def find_kernel(
    name: str | None = None,
    *,
    start: Path | None = None,
    fetch: bool = True,
    need_build: bool = True,
    progress: Progress | None = None,
) -> Kernel:
    """The kernel `name`, fetched where it is a distribution's that is not in the cache.

    `name`: `host` (the running one); `debian:6.1`, or `6.1` alone (newest of the series), `debian:6.1-amd64`
    (of that flavour), `debian:6.1.0-56-cloud-amd64` (exact), `debian` (the current one); the release of a
    kernel in the cache; a directory; an image file.  None: `LKM_KERNEL`, else `lkm.toml`, else the running
    kernel where its image and headers can be read, else the newest in the cache, else the distribution's
    current.  `start`: where `lkm.toml` is looked for.  `fetch=False` asks no network.  `need_build`: whether
    modules will be built; the compiler the kernel asks for is then fetched where this machine lacks it.

    Raises `UsageError` for a name that means nothing here, `MissingError` where something must be fetched
    and cannot be, `BadInputError` for a damaged file or a directory without a kernel.
    """
    show = progress or Silent()
    source = ""
    if name is None:
        name, source = _default_name(start)
    elif not name:
        raise UsageError("--kernel is empty", hint="lkm kernel list")
    try:
        found = _find_default(need_build=need_build) if name is None else _find_here(name)
        if found is None:
            wanted = _provided(name or "debian")
            found = _fetch(wanted, start, fetch=fetch, need_build=need_build, progress=show)
        return _equipped(found, start, fetch=fetch, need_build=need_build, progress=show)
    except UsageError as error:
        if source:
            raise UsageError(f"{error.message} (named by {source})", hint=error.hint) from error
        raise


def given_kernel(kernel: Kernel | str | None, *, need_build: bool = False) -> Kernel:
    """A kernel as a function of the library is given it: one, its name, or None for the default."""
    return kernel if isinstance(kernel, Kernel) else find_kernel(kernel, need_build=need_build)


def _provided(name: str) -> str:
    """The name with its provider: a number alone is a series of Debian's."""
    return f"debian:{name}" if _SERIES.match(name) else name


def _default_name(start: Path | None) -> tuple[str | None, str]:
    """What the environment or a settings file names, as a name that holds in any directory; and which."""
    if name := os.environ.get("LKM_KERNEL"):
        return name, "LKM_KERNEL"
    name = read_config(start).kernel
    if not name:
        return None, ""
    project = find_config((start or Path.cwd()).resolve())
    if project is not None and is_path(name):
        beside = project.parent / Path(name).expanduser()
        name = str(beside) if beside.exists() else name
    return name, str(project or "lkm.toml")


def is_path(name: str) -> bool:
    """Whether a kernel's name is written as a path."""
    return "/" in name or name.startswith(("~", ".")) or name in (".", "..")


def _find_default(*, need_build: bool) -> Found | Stored | None:
    host = find_host()
    if host is not None and host.kernel.image is not None and host.kernel.build is not None:
        return host
    stored = [item for item in list_stored() if item.kernel.build is not None or not need_build]
    return stored[-1] if stored else None


def find_host() -> Found | None:
    """The running kernel, with those of its parts that can be read; None where there are none."""
    found = find_in_root(Path("/"), os.uname().release, name=HOST, origin=Origin.HOST)
    kernel = found.kernel
    if kernel.image is not None and not os.access(kernel.image, os.R_OK):
        kernel = replace(kernel, image=None)
    if kernel.image is None and kernel.build is None:
        return None
    return Found(kernel, found.wanted)


def _find_here(name: str) -> Found | Stored | None:
    """The kernel `name` where it is on this machine; None where it is one to fetch."""
    if name == HOST:
        host = find_host()
        if host is None:
            release = os.uname().release
            raise MissingError(
                f"the running kernel, {release}, has neither image nor headers on this machine",
                hint="--kernel debian, or install the running kernel's image and headers packages",
            )
        return host
    match = _PREFIX.fullmatch(name)
    if match and match[1] in _PROVIDERS and (match[2] is not None or not Path(name).exists()):
        return _find_cached(match[1], match[2] or "")
    path = Path(name).expanduser()
    if path.is_dir():
        return find_directory(path, name=name)
    if path.exists():
        return find_image(path, name=name)
    if is_path(name):
        raise UsageError(f"{name}: no such file or directory", hint="lkm kernel list")
    for stored in list_stored():
        if stored.kernel.release == name:
            return stored
    if _SERIES.match(name):
        return _find_cached("debian", name)
    raise unknown_name(name)


def unknown_name(name: str) -> UsageError:
    """The error for a name that means nothing, with those that come near."""
    from difflib import get_close_matches

    names = [HOST, *_PROVIDERS]
    for stored in list_stored():
        names += [stored.kernel.name, stored.kernel.release]
    provider, colon, words = name.partition(":")
    near = get_close_matches(name, names, n=1)
    if colon and (close := get_close_matches(provider, _PROVIDERS, n=1)):
        near = [f"{close[0]}:{words}"]
    elif (match := re.fullmatch(r"([a-z]+)-?(\d+\.\d.*)", name)) and match[1] in _PROVIDERS:
        near = [f"{match[1]}:{match[2]}"]
    return UsageError(
        f"no kernel '{name}': not a file, a directory or a kernel in the cache",
        hint=f"--kernel {near[0]}" if near else "lkm kernel list",
    )


def _find_cached(provider: str, words: str) -> Stored | None:
    """The newest kernel in the cache that `words` name, so that nothing is asked when one is there."""
    if not is_words(words):
        raise UsageError(f"no kernel '{provider}:{words}'", hint="lkm kernel list")
    if words and (stored := find_stored(provider, words)):
        return stored
    fitting = _choose(provider, words)
    # As when it is fetched: this machine's own release comes first, its compiler is at hand.
    own = [item for item in fitting if item.suite.partition("-")[0] == read_codename()]
    fitting = own or fitting
    return fitting[-1] if fitting else None


def _choose(provider: str, words: str) -> list[Stored]:
    items = [item for item in list_stored() if item.kernel.name.startswith(f"{provider}:")]
    if not words:
        return [item for item in items if item.current and item.suite == read_codename(item.suite)]
    of_suite = [item for item in items if item.current and item.suite == words]
    return of_suite or choose_named(items, words, lambda item: item.kernel.release)


def _fetch(
    name: str, start: Path | None, *, fetch: bool, need_build: bool, progress: Progress, refresh: bool = False
) -> Stored:
    provider, _, words = name.partition(":")
    if not fetch:
        raise MissingError(f"{name} is not in the cache", hint=f"lkm kernel add {name}")
    from lkm.kernel.distribution import StaleListsError, find_distribution

    distribution = find_distribution(provider, start=start)
    for refreshed in (refresh, True):
        offer = distribution.find(words, need_build=need_build, refresh=refreshed, progress=progress)
        if stored := find_stored(provider, offer.release):
            return stored
        try:
            return distribution.fetch(offer, progress=progress)
        except StaleListsError:
            if refreshed:
                raise
    raise AssertionError("unreachable")


def _equipped(
    found: Found | Stored, start: Path | None, *, fetch: bool, need_build: bool, progress: Progress
) -> Kernel:
    """The kernel with its toolchain, fetched where it must be."""
    kernel, wanted = found.kernel, found.wanted
    if kernel.build is None:
        if need_build:
            raise _no_headers(kernel)
        return kernel
    if kernel.arch not in ("", os.uname().machine):
        if need_build:
            raise MissingError(
                f"{kernel.name} is for {kernel.arch}; here modules can be built for {os.uname().machine}",
                hint="lkm kernel list shows which kernels can build",
            )
        return kernel
    suite = found.suite if isinstance(found, Stored) else ""
    if wanted is None:
        return replace(kernel, toolchain=find_other_compiler(None))
    toolchain = find_any_toolchain(wanted, suite=suite)
    if toolchain is None and need_build:
        toolchain = _fetch_compiler(kernel, wanted, suite, start, fetch=fetch, progress=progress)
    return replace(kernel, toolchain=toolchain)


def find_any_toolchain(wanted: Wanted | None, *, suite: str = "") -> Toolchain | None:
    """The machine's own compiler where it is the right one, else one in the cache, else None."""
    if wanted is None:
        return None
    return find_host_toolchain(wanted) or find_toolchain(wanted, suite=suite)


def _no_headers(kernel: Kernel) -> LkmError:
    if kernel.origin is Origin.IMAGE:
        return UsageError(
            f"{kernel.name}: an image alone can boot, but nothing can be built against it",
            hint="give the kernel's build directory: --kernel DIR",
        )
    hint = "lkm kernel list shows which kernels can build"
    if kernel.origin is Origin.DIRECTORY:
        hint = f"unpack all headers of {kernel.release} there too (linux-headers-*, -common, linux-kbuild-*)"
    return MissingError(f"{kernel.name}: no headers, so that nothing can be built against it", hint=hint)


def _fetch_compiler(
    kernel: Kernel, wanted: Wanted, suite: str, start: Path | None, *, fetch: bool, progress: Progress
) -> Toolchain | None:
    """Fetches what the kernel asks for; for a kernel of another origin the machine's own may do."""
    from lkm.kernel.distribution import find_distribution

    lacking = missing_tools(wanted)
    try:
        if not fetch:
            raise MissingError(
                f"{kernel.name} was built with {wanted.text}, which is not on this machine",
                hint=f"lkm kernel add {kernel.name}",
            )
        if problem := find_cage_problem():
            raise MissingError(
                f"{kernel.name} was built with {wanted.text}, which is not on this machine; "
                f"a fetched one cannot be run here: {problem}",
                hint=f"install {' '.join([wanted.command, *lacking])}",
            )
        distribution = find_distribution(start=start)
        distribution.fetch_compiler(wanted, suite, progress=progress)
    except LkmError:
        other = find_other_compiler(wanted)
        if kernel.origin is Origin.DISTRIBUTION or other is None or lacking:
            raise
        return other
    return find_toolchain(wanted, suite=suite)


def find_other_compiler(wanted: Wanted | None) -> Toolchain | None:
    """The machine's own compiler, though another than the kernel was built with, or one not known."""
    from lkm.kernel.compiler import read_compiler_version
    from lkm.process import find_program

    family = wanted.family if wanted is not None else "gcc"
    path = find_program(family)
    if path is None or not (text := read_compiler_version(path)):
        return None
    built = f"another version than the kernel was built with ({wanted.text})" if wanted else ""
    return Toolchain(
        family, text, None, built or "the kernel's configuration does not say what it was built with"
    )


def list_kernels() -> list[Kernel]:
    """The running kernel, where it can be used, and the kernels in the cache, the newest last."""
    host = find_host()
    found: list[Found | Stored] = [*([host] if host is not None else []), *list_stored()]
    return [_described(item) for item in found]


def describe_kernel(kernel: Kernel) -> dict[str, Any]:
    """What a person may ask of a kernel beyond its fields.

    `compiler_wanted`: what it was built with, or "".  `why_not`: why nothing can be built against it, or
    "".  `fetched`: suite, version, packages and time, for one of a distribution; else empty.
    """
    stored = next((item for item in list_stored() if item.kernel.name == kernel.name), None)
    wanted = stored.wanted if stored is not None else describe(kernel).wanted
    return {
        "compiler_wanted": wanted.text if wanted is not None else "",
        "why_not": _why_not(kernel, wanted),
        "fetched": {}
        if stored is None
        else {
            "suite": stored.suite,
            "version": stored.version,
            "packages": " ".join(stored.packages),
            "fetched": stored.fetched,
        },
    }


def _why_not(kernel: Kernel, wanted: Wanted | None) -> str:
    if kernel.can_build:
        return ""
    if kernel.build is None:
        return "it has no headers (build directory)"
    if wanted is None:
        return "its configuration names no compiler"
    lacking = missing_tools(wanted)
    tools = f" ({', '.join(lacking)} missing)" if lacking else ""
    return f"this machine has no {wanted.command}{tools}; lkm kernel add {kernel.name} fetches it"


def _described(item: Found | Stored) -> Kernel:
    suite = item.suite if isinstance(item, Stored) else ""
    toolchain = find_any_toolchain(item.wanted, suite=suite) if item.kernel.build is not None else None
    return replace(item.kernel, toolchain=toolchain)


def add_kernel(
    name: str,
    *,
    start: Path | None = None,
    refresh: bool = True,
    need_build: bool = True,
    progress: Progress | None = None,
) -> Kernel:
    """Fetches the kernel `name` with its compiler; for a series the newest there is now.

    `refresh=False` takes package lists that are at most a day old as they are.  `need_build=False` takes
    a kernel without headers too.  Raises as `find_kernel`.
    """
    show = progress or Silent()
    match = _PREFIX.fullmatch(name)
    if not match or match[1] not in _PROVIDERS:
        if _SERIES.match(name) and not Path(name).exists():
            return add_kernel(
                _provided(name), start=start, refresh=refresh, need_build=need_build, progress=show
            )
        kernel = find_kernel(name, start=start, need_build=need_build, progress=show)
        if kernel.origin is not Origin.DISTRIBUTION:
            raise UsageError(
                f"{name} is on this machine already, there is nothing to fetch", hint=f"--kernel {name}"
            )
        return kernel
    sweep()
    exact = find_stored(match[1], match[2]) if match[2] and is_words(match[2]) else None
    stored = exact or _fetch(name, start, fetch=True, need_build=need_build, progress=show, refresh=refresh)
    return _equipped(
        stored, start, fetch=True, need_build=need_build and stored.kernel.build is not None, progress=show
    )


def remove_kernel(name: str) -> int:
    """Removes a kernel from the cache, and compilers no other kernel there asks for; the bytes freed.

    Raises `UsageError` where it is not in the cache, or where `name` means several.
    """
    freed = remove_directory(_only(name).directory)
    return freed + remove_unused_toolchains()


def find_stored_kernel(name: str) -> Kernel:
    """The kernel in the cache that `name` means, one and no other; raises `UsageError` else."""
    return _described(_only(name))


def _only(name: str) -> Stored:
    fitting = _named(name)
    if not fitting:
        raise UsageError(f"no kernel '{name}' in the cache", hint="lkm kernel list")
    if len(fitting) > 1:
        names = ", ".join(item.kernel.name for item in fitting)
        raise UsageError(
            f"'{name}' means several kernels: {names}",
            hint=f"lkm kernel remove {fitting[0].kernel.name}",
        )
    return fitting[0]


def _named(name: str) -> list[Stored]:
    items = list_stored()
    exact = [item for item in items if name in (item.kernel.name, item.kernel.release)]
    provider, colon, words = name.partition(":")
    return exact or (_choose(provider, words) if colon else [])


def remove_unused_toolchains() -> int:
    """Removes fetched compilers that no kernel in the cache asks for; the bytes freed."""
    used = {
        toolchain.root.parent
        for item in list_stored()
        if item.wanted is not None
        and (toolchain := find_toolchain(item.wanted, suite=item.suite)) is not None
        and toolchain.root is not None
    }
    return sum(remove_directory(directory) for directory, _ in list_toolchains() if directory not in used)
