# SPDX-License-Identifier: MIT
"""Templates: a guest booted once and saved, that clones start from.

`templates/KEY/` in the cache holds `mem` (the guest's memory, sparse), `state` (its devices, as QEMU's
migration stream) and `meta.json`.  The three are a whole: made in a new directory and renamed, never
written again, and checked before each use.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import select
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from lkm.errors import MissingError, OutOfTimeError
from lkm.guest.agent import agent_key
from lkm.guest.boot import boot_identity, start_boot
from lkm.guest.channel import Channel
from lkm.guest.machine import Ends, Machine, build_argv, build_command_line, escape
from lkm.guest.qemu import file_identity
from lkm.guest.vm import Vm
from lkm.kernel import Kernel
from lkm.paths import cache_dir, locked, new_directory

SCHEMA = 1
BOUND = 4 << 30  # bytes that all templates together may take on disk
_LOCK = "in-use"
_PIECE = 65536  # bytes that are a hole in `mem` where all of them are zero
_SAVE_TIMEOUT = 30.0  # seconds; it takes 15 ms


@dataclass(frozen=True, slots=True)
class Template:
    """A saved guest in the cache.  `size`: bytes on disk."""

    key: str
    path: Path
    kernel: str
    release: str
    memory: int
    cpus: int
    accelerator: str
    size: int

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
        "argv": build_argv(machine, Ends(0, 0, 0, 0), "ram"),
        "qemu": file_identity(machine.qemu.path),
        "command_line": build_command_line(machine, cmdline),
        "agent": agent_key(),
        **boot_identity(kernel),
    }
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32], parts


def make_template(kernel: Kernel, machine: Machine, *, cmdline: str = "", renew: str = "") -> Template:
    """The template for `kernel` on `machine`, booted and saved where the cache has no good one.

    Those who ask at the same time wait for the one that makes it.  `renew`: the inode of a template that
    turned out bad, as text; it is made again unless someone did already.  Raises `BadInputError` where
    the kernel does not boot, `MissingError` where QEMU cannot be started.
    """
    key, parts = build_key(kernel, machine, cmdline)
    path = templates_dir() / key
    found = find_template(path)
    if found is not None and renew != identity(found):
        return found
    with locked(templates_dir() / f".{key}.lock"):
        found = find_template(path)
        if found is not None and renew != identity(found):
            return found
        _sweep()
        _keep_bound(keep=path)
        with new_directory(path) as part:
            _boot_and_save(kernel, machine, cmdline, part)
            meta = {
                "schema": SCHEMA,
                "kernel": kernel.name,
                "release": kernel.release,
                "machine": asdict(machine),
                "parts": parts,
                "boot_id": _boot_id(),
                "files": {name: asdict(_mark(part / name)) for name in ("mem", "state")},
            }
            (part / _LOCK).touch()
            (part / "meta.json").write_text(json.dumps(meta, indent=1, default=str))
    found = find_template(path)
    if found is None:
        raise MissingError(
            f"{path}: the saved guest is damaged as soon as it is written", hint="df -h; dmesg"
        )
    return found


def identity(template: Template) -> str:
    """What tells this template from another one made later under the same key."""
    try:
        return str(template.mem.stat().st_ino)
    except OSError:
        return ""


def find_template(path: Path) -> Template | None:
    """The template in that directory, or None where there is none or it is damaged."""
    try:
        meta = json.loads((path / "meta.json").read_bytes())
        if meta["schema"] != SCHEMA:
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
        for start, end in _data_ranges(stream.fileno(), about.st_size):
            crc = zlib.crc32(start.to_bytes(8, "little"), crc)
            stream.seek(start)
            left = end - start
            while left and (piece := stream.read(min(left, 1 << 20))):
                crc = zlib.crc32(piece, crc)
                left -= len(piece)
    return _FileMark(about.st_size, about.st_ino, about.st_mtime_ns, about.st_ctime_ns, crc)


def _data_ranges(fd: int, size: int) -> Iterator[tuple[int, int]]:
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


def _boot_and_save(kernel: Kernel, machine: Machine, cmdline: str, part: Path) -> None:
    """Boots in memory that is ours alone, then writes it out: faster than booting in a file, and a full disk
    is an error here and not a signal there."""
    memory = os.memfd_create("lkm-mem", os.MFD_CLOEXEC)
    try:
        words = f"memory-backend-file,mem-path=/proc/self/fd/{memory},share=on"
        with start_boot(kernel, machine, words, cmdline, fds=[memory]) as vm:
            (part / "state").write_bytes(save(vm))
            vm.qmp.send("quit")
            vm.wait(5)
        _copy_sparse(memory, part / "mem")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise MissingError(
                "no space left on the disk for a saved guest", hint="df -h; lkm doctor"
            ) from error
        raise
    finally:
        os.close(memory)


def _copy_sparse(source: int, target: Path) -> None:
    """Copies what is not zero."""
    size = os.fstat(source).st_size
    zeros = bytes(_PIECE)
    with target.open("xb", buffering=0) as stream:
        stream.truncate(size)
        for start, end in _data_ranges(source, size):
            for at in range(start, end, _PIECE):
                piece = os.pread(source, min(_PIECE, end - at), at)
                if piece != zeros:
                    os.pwrite(stream.fileno(), piece, at)


def save(vm: Vm) -> bytes:
    """The devices' state of a running guest, which is stopped; its memory stays in its file.

    Through a pipe: QEMU's `fd:` is meant for pipes and sockets, `file:` is there since 8.2 only, and `exec:`
    is a shell, which the sandbox forbids.
    """
    capability = {"capability": "x-ignore-shared", "state": True}
    vm.qmp.call("migrate-set-capabilities", capabilities=[capability])
    ours, theirs = os.pipe()
    # No `stop` before: the state would say `paused`, and a clone would have to be told to go on.
    vm.qmp.call("getfd", fd=theirs, fdname="state")
    os.close(theirs)
    with FileIO(ours) as stream:
        vm.qmp.call("migrate", uri="fd:state")
        state = _read_all(stream, time.monotonic() + _SAVE_TIMEOUT)
    until = time.monotonic() + _SAVE_TIMEOUT
    while (status := vm.qmp.call("query-migrate").get("status")) != "completed":
        if status == "failed" or time.monotonic() > until:
            raise MissingError(f"QEMU could not save the guest: {vm.errors()}", hint="lkm doctor")
        time.sleep(0.002)
    return state


def _read_all(stream: FileIO, until: float) -> bytes:
    data = bytearray()
    while select.select([stream], [], [], max(until - time.monotonic(), 0))[0]:
        piece = stream.read(1 << 20)
        if not piece:
            return bytes(data)
        data += piece
    raise OutOfTimeError(f"QEMU did not save the guest within {_SAVE_TIMEOUT:g} s")


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
    use = os.open(template.path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(use, fcntl.LOCK_SH)  # QEMU inherits it: as long as it runs, nobody removes the template
        with suppress(OSError):
            os.utime(template.path / _LOCK)
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


def list_templates() -> list[Template]:
    """The templates in the cache, the one used last first."""
    found = []
    for meta in templates_dir().glob("*/meta.json"):
        template = find_template(meta.parent)
        if template is not None:
            found.append((_used(meta.parent), template))
    return [template for _, template in sorted(found, key=lambda pair: pair[0], reverse=True)]


def remove_templates(kernel: Kernel | None = None) -> int:
    """Removes the templates of `kernel`, of all kernels where None; bytes that this freed.

    One that a clone is using stays.
    """
    freed = 0
    if not templates_dir().is_dir():
        return 0
    for path in templates_dir().iterdir():
        if not path.is_dir():
            continue
        if kernel is not None:
            template = find_template(path)
            if template is None or (template.kernel, template.release) != (kernel.name, kernel.release):
                continue
        freed += _remove(path)
    return freed


def _remove(path: Path) -> int:
    size = sum(file.stat().st_blocks * 512 for file in path.glob("*") if file.is_file())
    try:
        use = os.open(path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        use = -1
    try:
        if use >= 0:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
        return size
    except BlockingIOError:
        return 0
    finally:
        if use >= 0:
            os.close(use)


def _used(path: Path) -> float:
    try:
        return (path / _LOCK).stat().st_mtime
    except OSError:
        return 0.0


def _sweep() -> None:
    """Removes what killed processes left half made: nobody holds the lock of its key."""
    for part in templates_dir().glob(".new-*"):
        lock = templates_dir() / f".{part.name.split('.')[1].removeprefix('new-')}.lock"
        try:
            held = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(part, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(held)


def _keep_bound(*, keep: Path) -> None:
    """Removes what was not used for longest while all templates together take more than the bound."""
    templates = [template for template in list_templates() if template.path != keep]
    total = sum(template.size for template in templates)
    for template in reversed(templates):
        if total <= BOUND:
            return
        total -= _remove(template.path)
