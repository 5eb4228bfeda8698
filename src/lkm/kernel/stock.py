# SPDX-License-Identifier: MIT
"""The kernels on this machine: listed, described, removed; nothing is fetched."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from lkm.errors import UsageError
from lkm.kernel.compiler import Wanted, missing_tools
from lkm.kernel.equip import find_any_toolchain
from lkm.kernel.find import choose_stored, find_host, unknown_name
from lkm.kernel.layout import Found, describe, find_own_build
from lkm.kernel.own import PREFIX, OwnKernel, find_own, list_own, remove_own
from lkm.kernel.store import Stored, list_stored, remove_directory
from lkm.kernel.toolchain import find_toolchain, list_toolchains
from lkm.kernel.value import Kernel, Origin


def list_kernels(*, unbuilt: bool = False) -> list[Kernel]:
    """The running kernel, where it can be used, the kernels in the cache, the newest last, and the own ones.

    Of an own kernel that was not built to its end parts are missing; one that has nothing yet to boot or to
    build against comes with `unbuilt` only.  The `size` of own ones is not measured here.
    """
    host = find_host()
    found: list[Found | Stored] = [*([host] if host is not None else []), *list_stored()]
    own = [find_own_build(one) for one in list_own()]
    found += [one for one in own if unbuilt or one.kernel.can_boot or one.kernel.build is not None]
    return [_described(item) for item in found]


def list_of_release(release: str) -> list[Kernel]:
    """The kernels here that have a name and are of a release (`uname -r`); without their compilers."""
    host = find_host()
    found: list[Found | Stored] = [*([host] if host is not None else []), *list_stored()]
    found += [find_own_build(own) for own in list_own()]
    return [item.kernel for item in found if item.kernel.release == release]


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
        return "it is not built yet" if kernel.origin is Origin.OWN else "it has no headers (build directory)"
    if kernel.arch not in ("", os.uname().machine):
        return f"it is for {kernel.arch}; here modules are built for {os.uname().machine}"
    if wanted is None:
        return "its configuration names no compiler"
    lacking = missing_tools(wanted)
    tools = f" ({', '.join(lacking)} missing)" if lacking else ""
    return f"this machine has no {wanted.command}{tools}; lkm kernel add {kernel.name} fetches it"


def _described(item: Found | Stored) -> Kernel:
    suite = item.suite if isinstance(item, Stored) else ""
    fits = item.kernel.build is not None and item.kernel.arch in ("", os.uname().machine)
    toolchain = find_any_toolchain(item.wanted, suite=suite) if fits else None
    return replace(item.kernel, toolchain=toolchain)


def remove_kernel(name: str) -> int:
    """Removes a kernel from the cache, and compilers no other kernel there asks for; the bytes freed.

    Of an own kernel whose build directory lies elsewhere only the name goes.  Raises `UsageError` where there
    is none in the cache, or where `name` means several.
    """
    own = _own_meant(name)
    if own is not None:
        return remove_own(own.name) + remove_unused_toolchains()
    freed = remove_directory(_only(name).directory)
    return freed + remove_unused_toolchains()


def find_stored_kernel(name: str) -> Kernel:
    """The kernel in the cache, or own one, that `name` means, one and no other; raises `UsageError` else."""
    own = _own_meant(name)
    return _described(find_own_build(own) if own is not None else _only(name))


def _own_meant(name: str) -> OwnKernel | None:
    """The own kernel that `name` means, where nothing else in the cache has that name."""
    own = find_own(name)
    return None if own is None or (name == own.name and _named(name)) else own


def _only(name: str) -> Stored:
    fitting = _named(name)
    if not fitting:
        if name.startswith(PREFIX):
            raise unknown_name(name)
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
    return exact or (choose_stored(provider, words) if colon else [])


def remove_unused_toolchains() -> int:
    """Removes fetched compilers that no kernel in the cache, and no own one, asks for; the bytes freed."""
    asked = [(item.wanted, item.suite) for item in list_stored()]
    asked += [(find_own_build(own).wanted, "") for own in list_own()]
    used = {
        toolchain.root.parent
        for wanted, suite in asked
        if wanted is not None
        and (toolchain := find_toolchain(wanted, suite=suite)) is not None
        and toolchain.root is not None
    }
    return sum(remove_directory(directory) for directory, _ in list_toolchains() if directory not in used)
