# SPDX-License-Identifier: MIT
"""Templates: a guest booted once and saved, that clones start from.

`templates/KEY/` in the cache holds `mem` (the guest's memory, sparse), `state` (its devices, as QEMU's
migration stream) and `meta.json`.  The three are a whole: made in a new directory and renamed, never
written again, and checked before each use.
"""

from __future__ import annotations

import fcntl
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lkm.errors import MissingError
from lkm.guest.agent import agent_key, fingerprint
from lkm.guest.channel import Channel
from lkm.guest.identity import boot_identity, file_identity, find_image
from lkm.guest.machine import Ends, Machine, build_argv, build_command_line, escape
from lkm.guest.vm import Vm
from lkm.paths import cache_dir, locked, new_directory

if TYPE_CHECKING:
    from lkm.kernel import Kernel

SCHEMA = 1
IN_USE = "in-use"  # the file that a clone holds a lock on, and touches


@dataclass(frozen=True, slots=True)
class Template:
    """A saved guest in the cache.  `image`: what was booted: path, size and time.  `size`: bytes on disk."""

    key: str
    path: Path
    kernel: str
    release: str
    memory: int
    cpus: int
    accelerator: str
    image: tuple[str | int, ...]
    size: int

    @property
    def used(self) -> float:
        """When a clone of it was last started, in seconds since the epoch; 0 where that is not known."""
        try:
            return (self.path / IN_USE).stat().st_mtime
        except OSError:
            return 0.0

    @property
    def mem(self) -> Path:
        """The guest's memory."""
        return self.path / "mem"

    @property
    def state(self) -> Path:
        """The devices' state."""
        return self.path / "state"


@dataclass(frozen=True, slots=True)
class _FileMark:
    """What tells that a file is the one that was written, cheaply, and its checksum for the doubt."""

    size: int
    inode: int
    mtime_ns: int
    ctime_ns: int
    crc: int


def templates_dir() -> Path:
    """Where templates lie."""
    return cache_dir() / "templates"


def build_key(kernel: Kernel, machine: Machine, cmdline: str) -> tuple[str, dict[str, Any]]:
    """The key of the template for this kernel on this machine, and all that it is made of."""
    parts = {
        "schema": SCHEMA,
        # descriptors have no meaning here; the words around them do
        "argv": build_argv(machine, Ends(0, 0, 0, 0, 0), "ram"),
        "qemu": file_identity(machine.qemu.path),
        "command_line": build_command_line(machine, cmdline),
        "agent": agent_key(),
        **boot_identity(kernel),
    }
    return fingerprint(json.dumps(parts, sort_keys=True).encode()), parts


def make_template(kernel: Kernel, machine: Machine, *, cmdline: str = "", renew: str = "") -> Template:
    """The template for `kernel` on `machine`, booted and saved where the cache has no good one.

    Those who ask at the same time wait for the one that makes it.  `renew`: the inode of a template that
    turned out bad, as text; it is made again unless someone did already.  Raises `BadInputError` where
    the kernel does not boot, `MissingError` where QEMU cannot be started.
    """
    key, parts = build_key(kernel, machine, cmdline)
    path = templates_dir() / key
    found = find_template(path, parts)
    if found is not None and renew != identity(found):
        return found
    from lkm.guest.save import boot_and_save  # most starts need neither
    from lkm.guest.store import keep_bound, remove_outdated, sweep

    with locked(templates_dir() / f".{key}.lock"):
        found = find_template(path, parts)
        if found is not None and renew != identity(found):
            return found
        sweep()
        remove_outdated(find_image(kernel))
        keep_bound(keep=path)
        with new_directory(path) as part:
            boot_and_save(kernel, machine, cmdline, part)
            meta = {
                "schema": SCHEMA,
                "kernel": kernel.name,
                "release": kernel.release,
                "machine": asdict(machine),
                "parts": parts,
                "boot_id": _boot_id(),
                "files": {name: asdict(_mark(part / name)) for name in ("mem", "state")},
            }
            (part / IN_USE).touch()
            (part / "meta.json").write_text(json.dumps(meta, indent=1, default=str))
    found = find_template(path, parts)
    if found is None:
        raise MissingError(
            f"{path}: the saved guest is damaged as soon as it is written", hint="df -h; dmesg"
        )
    return found


def ready_template(kernel: Kernel, machine: Machine, *, cmdline: str = "") -> Template | None:
    """The template for `kernel` on `machine` where the cache has a good one; makes none."""
    key, parts = build_key(kernel, machine, cmdline)
    return find_template(templates_dir() / key, parts)


def identity(template: Template) -> str:
    """What tells this template from another one made later under the same key."""
    try:
        return str(template.mem.stat().st_ino)
    except OSError:
        return ""


def find_template(path: Path, parts: dict[str, Any] | None = None) -> Template | None:
    """The template in that directory, made of `parts` where given; None where none is or it is damaged."""
    try:
        meta = json.loads((path / "meta.json").read_bytes())
        if meta["schema"] != SCHEMA or (parts is not None and meta["parts"] != parts):
            return None
        marks = {name: _FileMark(**meta["files"][name]) for name in ("mem", "state")}
        if not _is_whole(path, meta, marks):
            return None
        size = sum((path / name).stat().st_blocks * 512 for name in marks)
        machine = meta["machine"]
        return Template(
            path.name,
            path,
            meta["kernel"],
            meta["release"],
            machine["memory"],
            machine["cpus"],
            machine["accelerator"],
            tuple(meta["parts"]["image"]),
            size,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_whole(path: Path, meta: dict[str, Any], marks: dict[str, _FileMark]) -> bool:
    """Whether the files are those that were written: by their marks, read in full only where those differ."""
    same = meta["boot_id"] == _boot_id()
    for name, mark in marks.items():
        about = (path / name).stat()
        if about.st_size != mark.size:
            return False
        same = same and (about.st_ino, about.st_mtime_ns, about.st_ctime_ns) == (
            mark.inode,
            mark.mtime_ns,
            mark.ctime_ns,
        )
    if same:
        return _mark(path / "state").crc == marks["state"].crc
    # Another boot (the last one may have ended with pages unwritten), or a copied cache.
    new = {name: _mark(path / name) for name in marks}
    if any(new[name].crc != mark.crc for name, mark in marks.items()):
        return False
    meta |= {"boot_id": _boot_id(), "files": {name: asdict(mark) for name, mark in new.items()}}
    part = path / f".meta.{os.getpid()}"
    part.write_text(json.dumps(meta, indent=1, default=str))
    part.rename(path / "meta.json")
    return True


def _mark(path: Path) -> _FileMark:
    with path.open("rb") as stream:
        os.fsync(stream.fileno()) if path.name == "state" else None
        about = os.fstat(stream.fileno())
        crc = 0
        for start, end in data_ranges(stream.fileno(), about.st_size):
            crc = zlib.crc32(start.to_bytes(8, "little"), crc)
            stream.seek(start)
            left = end - start
            while left and (piece := stream.read(min(left, 1 << 20))):
                crc = zlib.crc32(piece, crc)
                left -= len(piece)
    return _FileMark(about.st_size, about.st_ino, about.st_mtime_ns, about.st_ctime_ns, crc)


def data_ranges(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a sparse file that hold data, as (start, end)."""
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return
        at = os.lseek(fd, start, os.SEEK_HOLE)
        os.lseek(fd, start, os.SEEK_SET)
        yield start, at


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _open_state(path: Path) -> int:
    """The state for QEMU to read: in a pipe that holds all of it, or the file where none is that large."""
    data = path.read_bytes()
    ours, theirs = os.pipe()
    try:
        if fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, len(data)) >= len(data):
            os.write(theirs, data)
            return ours
    except OSError:  # more than /proc/sys/fs/pipe-max-size, or this user has too many such pipes
        pass
    finally:
        os.close(theirs)
    os.close(ours)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def start_clone(template: Template, machine: Machine, *, paused: bool = False) -> Vm:
    """A clone of `template`, on its way: QEMU started, what it is to do already in its sockets."""
    state = _open_state(template.state)
    use = os.open(template.path / IN_USE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(use, fcntl.LOCK_SH)  # QEMU inherits it: as long as it runs, nobody removes the template
        with suppress(OSError):
            os.utime(template.path / IN_USE)
        mem = f"memory-backend-file,mem-path={escape(template.mem)},share=off"
        words = ["-incoming", "defer", *(["-S"] if paused else [])]
        vm = Vm(machine, mem, *words, fds=(state, use), channel=Channel())
        vm.channel.wake()
        capability = {"capability": "x-ignore-shared", "state": True}
        vm.qmp.send("migrate-set-capabilities", capabilities=[capability])
        vm.qmp.send("migrate-incoming", uri=f"fd:{state}")
    finally:
        os.close(state)
        os.close(use)
    return vm
