# SPDX-License-Identifier: MIT
"""From a kernel's name to the kernel: the running one, a distribution's, a directory or an image file.

A kernel in the cache is found by reading a few small files; nothing else is imported or started.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from lkm.config import find_config, read_config
from lkm.errors import BadInputError, MissingError, UsageError
from lkm.kernel.equip import equip
from lkm.kernel.layout import Found, find_directory, find_image, find_in_root, find_own_build
from lkm.kernel.names import choose_named, is_words, read_codename
from lkm.kernel.own import PREFIX, find_own, find_unbuilt, list_own
from lkm.kernel.store import Stored, find_stored, list_stored, sweep
from lkm.kernel.value import Kernel, Origin
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
    (of that flavour), `debian:6.1.0-56-cloud-amd64` (exact), `debian` (the current one); `own:NAME`, or NAME
    alone (built here); the release of a kernel in the cache; a directory; an image file.  None: `LKM_KERNEL`,
    else `lkm.toml`, else the running kernel where its image and headers can be read, else the newest in the
    cache, else the distribution's current.  `start`: where `lkm.toml` is looked for.  `fetch=False` asks no
    network.  `need_build`: whether modules will be built; the compiler the kernel asks for is then fetched
    where this machine lacks it.

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
        return equip(found, start, fetch=fetch, need_build=need_build, progress=show)
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
    if name.startswith(PREFIX):
        return _find_own(name)
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
    if find_own(name) is not None:
        return _find_own(name)
    if _SERIES.match(name):
        return _find_cached("debian", name)
    raise unknown_name(name)


def _find_own(name: str) -> Found:
    """The kernel that was built here under a name, its image there or not."""
    own = find_own(name)
    if own is None:
        raise unknown_name(name)
    if not own.is_there:
        raise MissingError(
            f"{own.full_name} was built in {own.build}, which is not there any more",
            hint=f"--kernel DIR, where it is now; lkm kernel remove {own.full_name} forgets the name",
        )
    found = find_own_build(own)
    if found.kernel.build is None and found.kernel.image is None:
        empty = BadInputError(
            f"{own.full_name} has no configuration yet",
            hint=f"lkm kernel configure -O {own.build} --tree DIR --preset guest",
        )
        raise find_unbuilt(own.build, own.full_name) or empty
    return found


def unknown_name(name: str) -> UsageError:
    """The error for a name that means nothing, with those that come near."""
    from difflib import get_close_matches

    names = [HOST, *_PROVIDERS]
    for stored in list_stored():
        names += [stored.kernel.name, stored.kernel.release]
    mine = list_own()
    names += [text for own in mine for text in (own.full_name, own.name)]
    provider, colon, words = name.partition(":")
    near = get_close_matches(name, names, n=1)
    if provider == "own" and mine:
        near = [f"{PREFIX}{close}" for close in get_close_matches(words, [own.name for own in mine], n=1)]
    elif colon and (close := get_close_matches(provider, (*_PROVIDERS, "own"), n=1)):
        near = [f"{close[0]}:{words}"]
    elif (match := re.fullmatch(r"([a-z]+)-?(\d+\.\d.*)", name)) and match[1] in _PROVIDERS:
        near = [f"{match[1]}:{match[2]}"]
    if name.startswith(PREFIX):
        known = ", ".join(own.full_name for own in mine)
        return UsageError(
            f"no kernel '{name}' was built here" + (f" ({known})" if known else ""),
            hint=f"--kernel {near[0]}" if near else "lkm kernel list",
        )
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
    fitting = choose_stored(provider, words)
    # As when it is fetched: this machine's own release comes first, its compiler is at hand.
    own = [item for item in fitting if item.suite.partition("-")[0] == read_codename()]
    fitting = own or fitting
    return fitting[-1] if fitting else None


def choose_stored(provider: str, words: str) -> list[Stored]:
    """The kernels of a provider in the cache that `words` name, the newest last."""
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
    return equip(
        stored, start, fetch=True, need_build=need_build and stored.kernel.build is not None, progress=show
    )
