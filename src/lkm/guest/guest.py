# SPDX-License-Identifier: MIT
"""`Guest`: a clone to load modules into, run programs in, and read the kernel log of."""

from __future__ import annotations

import os
import signal
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lkm.errors import BadInputError, GuestLostError, LkmError, MissingError, OutOfTimeError, UsageError
from lkm.guest.accelerator import find_accelerator
from lkm.guest.boot import boot
from lkm.guest.channel import LARGEST, Ask, Frame, Say
from lkm.guest.ending import find_end, last_words
from lkm.guest.machine import Machine, find_qemu
from lkm.guest.parameters import build_parameters
from lkm.guest.programs import find_libraries
from lkm.guest.template import make_template, start_clone
from lkm.guest.value import End, ExecResult, GuestEnded, LoadedModule, LoadError, Log, Step
from lkm.guest.vm import Vm
from lkm.kernel import Kernel
from lkm.klog import Record, parse_kmsg
from lkm.module import module_name, read_module_bytes

_PIECE = 8 << 20  # bytes of a file in one request
_KILLED = -1000  # agent/load.c
_ENVIRONMENT = {"PATH": "/sbin:/usr/sbin:/bin:/usr/bin", "HOME": "/root", "USER": "root", "TERM": "linux"}
_STDIN = "/run/lkm-stdin"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A module that is loaded: its name, what the kernel said while it was, and its parameters' values."""

    name: str
    log: Log
    guest: Guest

    @property
    def parameters(self) -> Mapping[str, str]:
        """Values now, as /sys/module/NAME/parameters gives them."""
        return self.guest.parameters(self.name)


class Guest:
    """A guest of `kernel`, from the time it is started (`with`, or `start`) to `close`.

    `memory`: MiB.  `cmdline`: words added to the kernel's command line.  `template`: clone a saved guest
    (made where there is none) instead of booting.  `accelerator`: `tcg` or `kvm`; None: what works here.
    `timeout`: seconds that each call may take.  `on_record` is called with each kernel log record as it
    comes, from within the call that was waiting.

    Whatever is asked of a guest that ends meanwhile raises `GuestEnded`.
    """

    def __init__(
        self,
        kernel: Kernel,
        *,
        memory: int = 256,
        cpus: int = 1,
        cmdline: str = "",
        template: bool = True,
        accelerator: str | None = None,
        timeout: float = 30.0,
        on_record: Callable[[Record], None] | None = None,
    ) -> None:
        self.kernel = kernel
        self.release = kernel.release
        self.timeout = timeout
        self.on_record = on_record
        self.cmdline = cmdline
        self._template = template
        self._settings = (memory, cpus, accelerator)
        self._machine: Machine | None = None
        self._vm: Vm | None = None
        self._records: list[Record] = []
        self._ended: GuestEnded | None = None
        self._killed = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def accelerator(self) -> str:
        """`tcg` or `kvm`; what was asked for until the guest is started."""
        return self._machine.accelerator if self._machine else self._settings[2] or ""

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._vm is not None and self._vm.alive and self._ended is None

    @property
    def pid(self) -> int:
        """Process id of its QEMU."""
        return self._running().pid

    @property
    def oopsed(self) -> bool:
        """Whether its kernel reported an oops since it was started."""
        return self._killed or any(_is_oops(record) for record in self._records)

    def start(self) -> None:
        """Starts it: a clone of the template, or a boot.

        Raises `MissingError` where QEMU, a compiler or memory is missing, `BadInputError` where the kernel
        does not boot.
        """
        if self._vm is not None:
            return
        memory, cpus, accelerator = self._settings
        machine = Machine(
            find_qemu(self.kernel.arch), accelerator or find_accelerator(self.kernel), memory, cpus
        )
        self._machine = machine
        if not self._template:
            self._vm = boot(self.kernel, machine, "memory-backend-ram", self.cmdline)
            return
        template = make_template(self.kernel, machine, cmdline=self.cmdline)
        self._vm = start_clone(template, machine)

    def close(self) -> None:
        """Ends it.  May be called again."""
        if self._vm is not None:
            self._vm.close()

    # --- modules ---------------------------------------------------------------------------------

    def load(
        self, module: Path | bytes, parameters: str = "", *, name: str | None = None, **values: object
    ) -> Step:
        """Loads a module: init_module(2) with its bytes, whatever was thought of it before.

        `module`: a `.ko` file (compressed ones are unpacked here) or its bytes.  `parameters` as for
        insmod; `values` are added to them (`day=31`).  `name` is for messages only.
        """
        image = module if isinstance(module, bytes) else read_module_bytes(module)
        text = build_parameters(parameters, values).encode()
        head = struct.pack("<II", len(text) + 1, 0) + _padded(text + b"\0")
        if len(head) + len(image) <= LARGEST:
            return self._step(Ask.LOAD, head, image)
        path = "/tmp/.lkm-module"
        self.copy_in(image, path)
        step = self._step(Ask.LOAD_FILE, head, path.encode() + b"\0")
        self.run(["/bin/rm", "-f", path])
        return step

    def unload(self, name: str, *, force: bool = False) -> Step:
        """Unloads a module: delete_module(2)."""
        flags = os.O_TRUNC if force else 0  # O_TRUNC is the system call's word for force
        return self._step(Ask.UNLOAD, struct.pack("<II", flags, 0), name.replace("-", "_").encode() + b"\0")

    @contextmanager
    def loaded(
        self, module: Path | bytes, *, parameters: str = "", name: str | None = None, **values: object
    ) -> Iterator[Loaded]:
        """A module loaded for the block and unloaded after it.  Raises `LoadError` where it is refused."""
        name = name or (_name_in(module) if isinstance(module, bytes) else module_name(module.name))
        before = len(self._records)
        step = self.load(module, parameters, name=name, **values)
        log = Log(tuple(self._records[before:]))
        if not step.ok:
            raise LoadError(name, step, log)
        yield Loaded(name, log, self)
        if self.alive:
            self.unload(name)

    def modules(self) -> tuple[LoadedModule, ...]:
        """What is loaded, the newest first, as /proc/modules has it."""
        found = []
        for line in self.copy_out("/proc/modules").decode().splitlines():
            name, size, count, users, state, *_ = line.split()
            used_by = tuple(user for user in users.split(",") if user not in ("", "-", "[permanent]"))
            found.append(LoadedModule(name, int(size), int(count), used_by, state, self.parameters(name)))
        return tuple(found)

    def parameters(self, name: str) -> dict[str, str]:
        """Values of a loaded module's parameters, by name; those that nobody may read are left out."""
        data, status = self._collect(Ask.PARAMETERS, name.encode() + b"\0")
        if status < 0 and status != -2:  # no parameters: no directory
            raise _os_error(status, f"parameters of {name}")
        pairs = (item.partition(b"\0") for item in data)
        return {
            key.decode(): value.decode("utf-8", "replace").removesuffix("\n")
            for key, _, value in sorted(pairs)
        }

    def log(self) -> Log:
        """The kernel log since this guest was started."""
        if self.alive:
            self._step(Ask.PING)
        return Log(tuple(self._records))

    # --- programs and files ----------------------------------------------------------------------

    def run(
        self, command: str | Sequence[str], *, timeout: float | None = None, stdin: bytes = b""
    ) -> ExecResult:
        """Runs a command to its end: a text in the guest's shell, words directly.

        Raises `MissingError` for a text where there is no busybox, `UsageError` where the program is not
        in the guest, `OutOfTimeError` where it takes longer than `timeout` seconds (it is killed then).
        """
        argv = ["/bin/busybox", "sh", "-c", command] if isinstance(command, str) else list(command)
        if stdin:
            self.copy_in(stdin, _STDIN)
        texts = [_STDIN if stdin else "/dev/null", *argv, *(f"{k}={v}" for k, v in _ENVIRONMENT.items())]
        body = b"".join(text.encode() + b"\0" for text in texts)
        head = struct.pack("<IHHII", 0, 0, 0, len(argv), len(_ENVIRONMENT))
        status = self._call(Ask.RUN, head, body)[0]
        if status < 0:
            raise self._not_run(argv, status, isinstance(command, str))
        return self._wait_command(argv, timeout if timeout is not None else self.timeout)

    def _not_run(self, argv: Sequence[str], status: int, shell: bool) -> LkmError:
        if shell and status == -2:
            return MissingError("the guest has no shell: busybox is not on this machine", hint="lkm doctor")
        return UsageError(f"{argv[0]}: cannot be run in the guest: {os.strerror(-status)}")

    def _wait_command(self, argv: Sequence[str], timeout: float) -> ExecResult:
        out, err = bytearray(), bytearray()
        until = time.monotonic() + timeout
        late = False
        while True:
            frame = self._next(until, hang=late)
            if frame is None:
                late, until = True, time.monotonic() + 5
                self._running().channel.signal(signal.SIGKILL)
            elif frame.type == Say.OUT:
                out += frame.body
            elif frame.type == Say.ERR:
                err += frame.body
            elif frame.type == Say.EXIT:
                break
        if late:
            raise OutOfTimeError(f"no end after {timeout:g} s in the guest: {' '.join(argv)}")
        status, took = struct.unpack("<qQ", frame.body)
        code = os.waitstatus_to_exitcode(status)
        return ExecResult(code if code >= 0 else 128 - code, bytes(out), bytes(err), took / 1e9)

    def copy_in(self, source: Path | bytes, destination: str, mode: int | None = None) -> None:
        """Writes a file in the guest, with the directories that it needs; `mode` is the source's own."""
        if isinstance(source, bytes):
            data, mode = source, 0o644 if mode is None else mode
        else:
            try:
                data = source.read_bytes()
                mode = source.stat().st_mode & 0o7777 if mode is None else mode
            except OSError as error:
                raise UsageError(f"{source}: {error.strerror}") from error
        path = _padded(destination.encode() + b"\0")
        view = memoryview(data)
        for at in range(0, max(len(data), 1), _PIECE):
            head = struct.pack("<II", mode, 1 if at else 0)
            status = self._call(Ask.PUT, head, path, view[at : at + _PIECE])[0]
            if status < 0:
                raise _os_error(status, f"{destination} in the guest")

    def copy_out(self, source: str) -> bytes:
        """A file's contents."""
        data, status = self._collect(Ask.GET, source.encode() + b"\0")
        if status < 0:
            raise _os_error(status, f"{source} in the guest")
        return b"".join(data)

    def copy_program(self, path: Path, destination: str | None = None) -> str:
        """Copies a host file in, to /root where `destination` is not given; returns where it is.

        A dynamically linked program's interpreter and libraries come with it, at their own paths.
        """
        target = destination or f"/root/{path.name}"
        self.copy_in(path, target)
        for library in find_libraries(path):
            self.copy_in(library.path, library.target, 0o755)
        return target

    # --- the channel -----------------------------------------------------------------------------

    def _running(self) -> Vm:
        if self._ended is not None:
            raise GuestEnded(self._ended.end)
        if self._vm is None or self._vm.closed:
            raise UsageError("the guest is not running")
        return self._vm

    def _step(self, kind: Ask, *parts: bytes) -> Step:
        status, took = self._call(kind, *parts)
        if status == _KILLED:
            self._killed = True
            return Step(False, 0, "killed by an oops", took)
        return Step(status >= 0, max(-status, 0), os.strerror(-status) if status < 0 else "", took)

    def _call(self, kind: Ask, *parts: bytes | memoryview) -> tuple[int, float]:
        """Asks and waits; status as a system call gives it, and seconds."""
        self._ask(kind, *parts)
        return self._done(None)

    def _collect(self, kind: Ask, *parts: bytes) -> tuple[list[bytes], int]:
        data: list[bytes] = []
        self._ask(kind, *parts)
        return data, self._done(data)[0]

    def _ask(self, kind: Ask, *parts: bytes | memoryview) -> None:
        vm = self._running()
        until = time.monotonic() + self.timeout
        while not vm.channel.ask(kind, *parts):
            if time.monotonic() > until:
                self._end(End.HANG)
            time.sleep(0.001)

    def _done(self, data: list[bytes] | None) -> tuple[int, float]:
        until = time.monotonic() + self.timeout
        while True:
            frame = self._next(until)
            assert frame is not None
            if frame.type == Say.DONE:
                status, took = struct.unpack("<qQ", frame.body)
                return status, took / 1e9
            if frame.type == Say.DATA and data is not None:
                data.append(frame.body)

    def _next(self, until: float, *, hang: bool = True) -> Frame | None:
        """The next frame that is not a log record; those are noted here.  None where `until` came first."""
        vm = self._running()
        while True:
            try:
                frame = vm.next_frame(until)
            except GuestLostError:
                self._end(None)
            if frame is None:
                if hang:
                    self._end(End.HANG)
                return None
            if frame.type != Say.LOG:
                return frame
            self._note(frame.body)

    def _note(self, body: bytes) -> None:
        try:
            record = parse_kmsg(body)
        except ValueError:
            return
        self._records.append(record)
        if self.on_record is not None:
            self.on_record(record)

    def _end(self, end: End | None) -> None:
        """Finds out how the guest ended, ends it, and raises what says so."""
        vm = self._running()
        found = find_end(vm, end)
        words = last_words(vm, self._records)
        detail = vm.errors() if found is End.GUEST_LOST else ""
        self._ended = GuestEnded(found, words, detail)
        self._records += words
        if self.on_record is not None:
            for record in words:
                self.on_record(record)
        vm.kill()
        raise self._ended


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def _os_error(status: int, what: str) -> LkmError:
    return BadInputError(f"{what}: {os.strerror(-status)}")


def _name_in(image: bytes) -> str:
    """A module's name, from the bytes of its file."""
    at = image.find(b"\0name=")
    return image[at + 6 : image.find(b"\0", at + 6)].decode("ascii", "replace") if at >= 0 else "module"


_OOPS_STARTS = (
    "BUG: ",
    "Oops: ",
    "kernel BUG at ",
    "general protection fault",
    "divide error: ",
    "invalid opcode: ",
    "stack segment: ",
    "int3: ",
    "Internal error: ",
)


def _is_oops(record: Record) -> bool:
    return record.level <= 2 and record.text.startswith(_OOPS_STARTS)
