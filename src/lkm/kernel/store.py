# SPDX-License-Identifier: MIT
"""The kernels in the cache: `kernels/PROVIDER/RELEASE/`, each with a `kernel.json` that says all of it.

On the way of every run: reads a few small files, starts nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path

from lkm.kernel.compiler import Wanted
from lkm.kernel.value import Kernel, Origin
from lkm.paths import cache_dir, locked
from lkm.version import release_key

SCHEMA = 1
FILE_NAME = "kernel.json"


@dataclass(frozen=True, slots=True)
class Stored:
    """A kernel in the cache (its toolchain not yet chosen) and where it came from.

    `suite`: the part of the archive it came from.  `version`: of its packages (`6.1.192-2`).
    `packages`: their names.  `fetched`: date and time, ISO 8601, UTC.
    `current`: it was the suite's own choice then.
    """

    kernel: Kernel
    wanted: Wanted | None
    directory: Path
    suite: str = ""
    version: str = ""
    packages: tuple[str, ...] = ()
    fetched: str = ""
    current: bool = False


def kernels_dir() -> Path:
    """Where fetched kernels are kept, one directory a provider."""
    return cache_dir() / "kernels"


def to_json(stored: Stored) -> dict[str, object]:
    """What `kernel.json` holds; paths are relative to the kernel's directory, so that a cache may move."""

    def relative(path: Path | None) -> str | None:
        return None if path is None else os.path.relpath(path, stored.directory)

    kernel, wanted = stored.kernel, stored.wanted
    return {
        "schema": SCHEMA,
        "name": kernel.name,
        "release": kernel.release,
        "arch": kernel.arch,
        "image": relative(kernel.image),
        "config": relative(kernel.config),
        "modules": relative(kernel.modules),
        "build": relative(kernel.build),
        "size": kernel.size,
        "compiler": None
        if wanted is None
        else {
            "family": wanted.family,
            "major": wanted.major,
            "text": wanted.text,
            "tools": list(wanted.tools),
        },
        "suite": stored.suite,
        "version": stored.version,
        "packages": list(stored.packages),
        "fetched": stored.fetched,
        "current": stored.current,
    }


def read_stored(directory: Path) -> Stored | None:
    """The kernel in a directory of the cache; None where there is none or another version wrote it."""
    try:
        data = json.loads((directory / FILE_NAME).read_bytes())
        if data["schema"] != SCHEMA:
            return None
        parts = {
            key: directory / data[key] if data[key] is not None else None
            for key in ("image", "config", "modules", "build")
        }
        compiler = data["compiler"]
        wanted = None
        if compiler is not None:
            tools = tuple(compiler["tools"])
            wanted = Wanted(compiler["family"], int(compiler["major"]), compiler["text"], tools)
        kernel = Kernel(
            data["name"],
            data["release"],
            data["arch"],
            Origin.DISTRIBUTION,
            **parts,
            size=int(data["size"]),
        )
        return Stored(
            kernel,
            wanted,
            directory,
            data["suite"],
            data["version"],
            tuple(data["packages"]),
            data["fetched"],
            bool(data["current"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def list_stored() -> list[Stored]:
    """All kernels in the cache, the newest release last."""
    found = []
    with contextlib.suppress(OSError):
        for provider in os.scandir(kernels_dir()):
            if provider.is_dir():
                found += [read_stored(Path(entry.path)) for entry in os.scandir(provider.path)]
    stored = [kernel for kernel in found if kernel is not None]
    return sorted(stored, key=lambda item: (release_key(item.kernel.release), item.kernel.release))


def find_stored(provider: str, release: str) -> Stored | None:
    """The kernel `release` of a provider, where it is in the cache."""
    return read_stored(kernels_dir() / provider / release)


def read_size(directory: Path) -> int:
    """Bytes on disk of a directory and all in it; a file linked twice counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    stack = [str(directory)]
    while stack:
        with contextlib.suppress(OSError):
            for entry in os.scandir(stack.pop()):
                stat = entry.stat(follow_symlinks=False)
                if stat.st_nlink == 1 or (stat.st_dev, stat.st_ino) not in seen:
                    total += stat.st_blocks * 512
                    seen.add((stat.st_dev, stat.st_ino)) if stat.st_nlink > 1 else None
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
    return total


def remove_directory(directory: Path) -> int:
    """Removes a directory of the cache, at once for whoever looks for it; returns the bytes freed."""
    import shutil

    with locked(lock_of(directory)):
        if not directory.exists():
            return 0
        size = read_size(directory)
        # The name that `paths.new_directory` cleans up, should we be killed half way.
        gone = directory.with_name(f".new-{directory.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        directory.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        return size


def sweep() -> None:
    """Removes what processes that were killed left half made, in the kernels' and toolchains' places."""
    import shutil

    for part in [*kernels_dir().glob("*/.new-*"), *(cache_dir() / "toolchains").glob(".new-*")]:
        name = part.name.removeprefix(".new-").rpartition(".")[0]
        with contextlib.suppress(OSError), open(lock_of(part.with_name(name)), "wb") as lock:  # noqa: PTH123
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held by whoever still works on it
            shutil.rmtree(part, ignore_errors=True)
    for shim in kernels_dir().glob("unpacked/[0-9a-f]*"):
        if any(entry.is_symlink() and not entry.exists() for entry in shim.iterdir()):
            shutil.rmtree(shim, ignore_errors=True)  # the packages it stood in for are gone


def lock_of(directory: Path) -> Path:
    """The file to lock while a directory of the cache is made or removed."""
    return directory.with_name(f".{directory.name}.lock")
