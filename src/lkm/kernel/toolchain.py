# SPDX-License-Identifier: MIT
"""The compilers in the cache, and the command line that runs something under one of them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lkm.errors import MissingError
from lkm.kernel.compiler import Wanted
from lkm.kernel.layout import read_text
from lkm.kernel.value import Kernel, Toolchain
from lkm.paths import cache_dir
from lkm.process import find_program

SCHEMA = 1
FILE_NAME = "toolchain.json"
_ROOT = "root"
_TOPS = ("usr", "etc")
_LINKS = ("bin", "sbin", "lib", "lib64")
# A `/` that is no mount point (chroot) cannot be made private, which bubblewrap begins with
# (bubblewrap.c: "Failed to make / slave"), and the kernel refuses user namespaces there (user_namespace.c,
# create_user_ns: current_chrooted()).  Root makes it one: a bind mount of / on itself, in a mount
# namespace of its own, entered by chroot.  $0 is a directory to mount on; nothing of a user's is parsed.
_REROOT = 'mount --rbind / "$0" && cd "$0" && exec chroot . "$@"'
# The sources that a build directory's own small Makefile goes on to.
_INCLUDE = re.compile(r"^include\s+(\S+/Makefile)\s*$", re.MULTILINE)


def toolchains_dir() -> Path:
    """Where fetched compilers are kept."""
    return cache_dir() / "toolchains"


def find_toolchain(wanted: Wanted, *, suite: str = "") -> Toolchain | None:
    """A fetched compiler of the right family and major version, best one of `suite`; starts nothing."""
    fitting = [
        (name.startswith(f"{suite}-") if suite else True, name, toolchain)
        for name, data, toolchain in _list()
        if data["family"] == wanted.family and data["major"] == wanted.major
    ]
    return max(fitting, key=lambda item: item[:2])[2] if fitting else None


def list_toolchains() -> list[tuple[Path, int]]:
    """The directories of fetched compilers, with their bytes on disk."""
    return [(toolchains_dir() / name, int(data["size"])) for name, data, _ in _list()]


def _list() -> Iterator[tuple[str, dict[str, Any], Toolchain]]:
    try:
        directories = sorted(toolchains_dir().iterdir())
    except OSError:
        return
    for directory in directories:
        try:
            data = json.loads((directory / FILE_NAME).read_bytes())
            if data["schema"] == SCHEMA:
                note = f"fetched from {data['suite']}: {data['why']}"
                yield (
                    directory.name,
                    data,
                    Toolchain(data["compiler"], data["version"], directory / _ROOT, note),
                )
        except (OSError, ValueError, KeyError, TypeError):
            continue


def toolchain_command(
    toolchain: Toolchain,
    argv: Sequence[str],
    *,
    kernel: Kernel,
    writable: Sequence[Path],
    readable: Sequence[Path],
    cwd: Path,
) -> list[str]:
    """The command line that runs `argv` in the directory `cwd` with this toolchain's programs.

    `argv` itself where the machine's own is used.  Else bubblewrap: the toolchain's /usr, the kernel and
    `readable` to read, `writable` (which must exist) to write, a private /tmp, and nothing else of this
    machine: no network, no other processes, no capabilities.  Paths are the same inside and outside.
    Raises `MissingError` where bubblewrap is not on this machine.
    """
    if toolchain.root is None:
        return list(argv)
    program = find_program("bwrap")
    if program is None:
        raise MissingError(
            f"bubblewrap (bwrap) is not on this machine; {toolchain.compiler} runs in it",
            hint="lkm doctor --fix, or apt-get install bubblewrap",
        )
    root = toolchain.root
    seen = [
        place for path in _with_targets([*find_places(kernel), *readable]) for place in _spread(path, root)
    ]
    # A path below a directory that was spread may be gone by the time it is bound.
    binds = dict.fromkeys(seen, "--ro-bind-try") | dict.fromkeys(_with_targets(writable), "--bind")
    options = build_mounts(root, list(binds))
    for path in sorted(binds):
        options += [binds[path], str(path), str(path)]
    for key, value in _ENVIRONMENT.items():
        options += ["--setenv", key, value]
    return build_cage(program, [*options, "--chdir", str(cwd)], argv)


def build_cage(program: Path, options: Sequence[str], argv: Sequence[str]) -> list[str]:
    """The command line of bubblewrap around `argv`; `options` say what is seen inside."""
    return reroot([str(program), "--die-with-parent", *_ALONE, "--tmpfs", "/tmp", *options, "--", *argv])


def reroot(command: Sequence[str]) -> list[str]:
    """A command line of bubblewrap, so that it works where / is no mount point, too."""
    if _is_mount_point_root():
        return list(command)
    return ["unshare", "--mount", "--propagation", "unchanged", "--", "sh", "-c", _REROOT, "/mnt", *command]


def find_cage_problem() -> str:
    """Why nothing can be run under a fetched compiler on this machine, or ""; starts bubblewrap to see."""
    from lkm import process

    program = find_program("bwrap")
    if program is None:
        return "bubblewrap (bwrap) is not on this machine"
    result = process.run(build_cage(program, ["--ro-bind", "/usr", "/usr", *_links()], ["true"]), timeout=20)
    return "" if result.status == 0 else (result.stderr.strip() or f"bwrap ended with status {result.status}")


def _links() -> list[str]:
    return [word for link in _LINKS for word in ("--symlink", f"usr/{link}", f"/{link}")]


_ALONE = (
    *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"),
)
# DEB_BUILD_ARCH: Debian's headers ask dpkg for it otherwise, which is not in the toolchain.
_ENVIRONMENT = {"PATH": "/usr/bin:/usr/sbin", "HOME": "/tmp", "TMPDIR": "/tmp", "DEB_BUILD_ARCH": ""}


def find_places(kernel: Kernel) -> list[Path]:
    """The directories a build against `kernel` reads: the build directory, and all that it leads to."""
    if kernel.build is None:
        return []
    places = [kernel.build]
    for match in _INCLUDE.finditer(read_text(kernel.build / "Makefile", 65536)):
        place = Path(match[1].replace("$(lkm_build)", str(kernel.build)))
        if place.is_absolute() and place.is_file():
            places.append(place.resolve().parent)
    for directory in tuple(places):
        with os.scandir(directory) as entries:
            places += [Path(entry.path).resolve() for entry in entries if entry.is_symlink()]
    return [path for path in dict.fromkeys(places) if path.exists()]


def _spread(path: Path, root: Path) -> list[Path]:
    """`path`, or what is in it where binding all of it would hide the toolchain, /tmp, /proc or /dev."""
    top = path.parts[1] if len(path.parts) > 1 else ""
    if top in ("proc", "dev", "sys"):
        return []
    if path in (Path("/"), Path("/tmp")):
        return [place for entry in path.iterdir() for place in _spread(entry, root)]
    if top not in (*_TOPS, *_LINKS):
        return [path]
    inside = root.joinpath("usr" if top in _LINKS else "", *path.parts[1:])
    if not os.path.lexists(inside):
        return [path]
    if path.is_dir() and not path.is_symlink() and not inside.is_symlink():
        return [place for entry in path.iterdir() for place in _spread(entry, root)]
    return []


def _with_targets(paths: Sequence[Path]) -> list[Path]:
    """The paths, and where links on their way lead: both names must work inside."""
    absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - links must stay
    return list(dict.fromkeys([*absolute, *(path.resolve() for path in absolute)]))


def build_mounts(root: Path, paths: Sequence[Path]) -> list[str]:
    """Options that lay out the toolchain `root` for reading, leaving room for mounts at `paths`.

    A directory that has one of `paths` below it is made anew and its entries are bound one by one, since
    nothing can be mounted on a place that is missing in a directory bound to be read.
    """
    options = _links()
    taken = {Path("/", *path.parts[1:]) for path in paths}
    above = {parent for path in taken for parent in path.parents}

    def lay(place: Path) -> None:
        if place in taken:
            return
        source = root / place.relative_to("/")
        if source.is_symlink():
            options.extend(["--symlink", str(source.readlink()), str(place)])
        elif place in above and source.is_dir():
            options.extend(["--dir", str(place)])
            for entry in sorted(source.iterdir()):
                lay(place / entry.name)
        else:
            options.extend(["--ro-bind", str(source), str(place)])

    for top in _TOPS:
        if (root / top).is_dir():
            lay(Path("/", top))
    return options


def _is_mount_point_root() -> bool:
    """Whether / is a mount point of this process (proc(5), /proc/PID/mountinfo, field 5)."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            return any(line.split(" ", 5)[4] == "/" for line in stream)
    except (OSError, IndexError):
        return True
