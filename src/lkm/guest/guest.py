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
from typing import TYPE_CHECKING, Self

from lkm.errors import BadInputError, LkmError, MissingError, OutOfTimeError, UsageError
from lkm.guest.channel import LARGEST, Ask, Say
from lkm.guest.parameters import build_parameters, check_names
from lkm.guest.session import Session
from lkm.guest.start import Clone, Settings, begin_clone, prepare_template, start_vm
from lkm.guest.value import ExecResult, LoadedModule, LoadError, Log, Step
from lkm.kernel.find import given_kernel
from lkm.klog import Record

if TYPE_CHECKING:
    from lkm.guest.gdb.debugger import Debugger, Waiting
    from lkm.kernel import Kernel

_PIECE = 8 << 20  # bytes of a file in one request
_KILLED = -1000  # agent/load.c
_ENVIRONMENT = {"PATH": "/sbin:/usr/sbin:/bin:/usr/bin", "HOME": "/root", "USER": "root", "TERM": "dumb"}
_STDIN = "/run/lkm-stdin"
_GRACE = 1.0  # seconds a command that was killed gets to end
_ENOENT = 2


@dataclass(frozen=True, slots=True)
class Loaded:
    """A module that is loaded: its name, and what the kernel said while it was."""

    name: str
    log: Log
    guest: Guest

    @property
    def parameters(self) -> Mapping[str, str]:
        """Its parameters' values now, as /sys/module/NAME/parameters gives them."""
        return self.guest.parameters(self.name)


class Guest:
    """A guest of `kernel`, from the time it is started (`with`, or `start`) to `close`.

    `kernel`: one, or its name, or None for the one that `find_kernel()` gives.
    `memory`: MiB.  `cmdline`: words added to the kernel's command line.  `template`: clone a saved guest
    (made where there is none) instead of booting.  `accelerator`: `tcg` or `kvm`; None: what works here.
    `timeout`: seconds that each call may take.  `initramfs`: boot with this one and not our own (see
    `lkm.guest.boot.boot`).  `on_record` is called with each kernel log record as it
    comes, from within the call that was waiting.

    Whatever is asked of a guest that ends meanwhile raises `GuestEnded`.
    """

    def __init__(
        self,
        kernel: Kernel | str | None = None,
        *,
        memory: int = 256,
        cpus: int = 1,
        cmdline: str = "",
        template: bool = True,
        accelerator: str | None = None,
        timeout: float = 30.0,
        on_record: Callable[[Record], None] | None = None,
        initramfs: Path | None = None,
    ) -> None:
        self.kernel = kernel = given_kernel(kernel)
        self.release = kernel.release
        self.timeout = timeout
        self._on_record = on_record
        template = template and initramfs is None
        self._settings = Settings(kernel, memory, cpus, cmdline, template, accelerator, initramfs)
        self._accelerator = accelerator or ""
        self._begun: Clone | None = None
        self._session: Session | None = None
        self._killed = False
        self._debugger: Debugger | None = None

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
        return self._accelerator

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        session = self._session
        return session is not None and session.ended is None and session.vm.alive

    @property
    def pid(self) -> int:
        """Process id of its QEMU."""
        return self._running().vm.pid

    @property
    def oopsed(self) -> bool:
        """Whether its kernel reported an oops since it was started."""
        records = self._session.records if self._session else ()
        return self._killed or any(map(_is_oops, records))

    def begin(self, begun: Clone | None = None) -> bool:
        """Starts a clone without waiting for it, so that `start` waits less; False where no template is yet.

        `begun`: a clone of the same settings that is on its way already.
        """
        if self._session is None and self._begun is None:
            self._begun = begun or begin_clone(self._settings)
        return self._session is not None or self._begun is not None

    def prepare(self) -> None:
        """Makes the saved guest that this one is a clone of, where there is none; raises as `start`."""
        prepare_template(self._settings)

    def start(self) -> None:
        """Starts it: a clone of the template, or a boot.

        Raises `MissingError` where QEMU, a compiler or memory is missing, `BadInputError` where the kernel
        does not boot.
        """
        if self._session is None:
            begun, self._begun = self._begun, None
            vm = start_vm(self._settings, begun)
            self.adopt(Session(vm, self.timeout, self._on_record))

    def adopt(self, session: Session) -> None:
        """Goes on with a guest that runs already (a standby)."""
        self._session = session
        self._accelerator = session.vm.machine.accelerator

    def limit(self, seconds: float | None) -> None:
        """Within so many seconds all must be answered that is asked from now on; None: no such limit."""
        self._running().deadline = None if seconds is None else time.monotonic() + seconds

    def close(self) -> None:
        """Ends it.  May be called again; what it logged can still be asked for."""
        if self._begun is not None:
            self._begun.vm.close()
            self._begun = None
        if self._debugger is not None:
            self._debugger.close()
            self._debugger = None
        if self._session is not None:
            self._session.vm.close()

    # --- modules ---------------------------------------------------------------------------------

    def load(
        self, module: Path | bytes, parameters: str = "", *, name: str | None = None, **values: object
    ) -> Step:
        """Loads a module: init_module(2) with its bytes, whatever was thought of it before.

        `module`: a `.ko` file (compressed ones are unpacked here) or its bytes.  `parameters` as for
        insmod; `values` are added to them (`day=31`).  `name` is not needed: the module knows its own.
        """
        del name
        image = module if isinstance(module, bytes) else _read_image(module)
        text = build_parameters(parameters, values).encode()
        head = struct.pack("<II", len(text) + 1, 0) + _padded(text + b"\0")
        if len(head) + len(image) <= LARGEST:
            return self._step(Ask.LOAD, head, image)
        path = "/tmp/.lkm-module"
        self.copy_in(image, path)
        return self._step(Ask.LOAD_FILE, head, path.encode() + b"\0")

    def unload(self, name: str, *, force: bool = False) -> Step:
        """Unloads a module: delete_module(2)."""
        flags = os.O_TRUNC if force else 0  # the system call's word for force
        return self._step(Ask.UNLOAD, struct.pack("<II", flags, 0), name.replace("-", "_").encode() + b"\0")

    @contextmanager
    def loaded(
        self, module: Path | bytes, *, parameters: str = "", name: str | None = None, **values: object
    ) -> Iterator[Loaded]:
        """A module loaded for the block and unloaded after it.

        Raises `LoadError` where it is refused, `UsageError` where it has no parameter of a name in `values`
        (the kernel would only warn).
        """
        name = name or (_name_in(module) if isinstance(module, bytes) else _name_of(module))
        image = module if isinstance(module, bytes) else _read_image(module)
        check_names(name, image, values)
        records = self._running().records
        before = len(records)
        step = self.load(image, build_parameters(parameters, values))
        log = Log(records.since(before))
        if not step.ok:
            raise LoadError(name, step, log)
        try:
            yield Loaded(name, log, self)
        finally:
            if self.alive:
                self.unload(name)

    def gdb(self, on_wait: Callable[[Waiting], None], *, vscode: bool = False) -> Debugger:
        """Lets gdb into the guest, until it ends; see `lkm.guest.gdb.debugger.Debugger`.

        `on_wait` is called from a thread.  Raises `MissingError` where the kernel's symbols are not known.
        """
        from lkm.guest.gdb.debugger import Debugger
        from lkm.kernel.symbols import parse_map

        self._debugger = Debugger(
            self._running(),
            self.kernel,
            on_wait=on_wait,
            read_guest=lambda: parse_map(self.copy_out("/proc/kallsyms").decode(), name="/proc/kallsyms"),
            vscode=vscode,
        )
        return self._debugger

    def modules(self) -> tuple[LoadedModule, ...]:
        """What is loaded, the newest first, as /proc/modules has it."""
        found = []
        for line in self.copy_out("/proc/modules").decode().splitlines():
            name, size, count, users, state, *_ = line.split()
            used_by = tuple(user for user in users.split(",") if user not in ("", "-", "[permanent]"))
            refcount = int(count) if count.isdigit() else 0
            found.append(LoadedModule(name, int(size), refcount, used_by, state, self.parameters(name)))
        return tuple(found)

    def parameters(self, name: str) -> dict[str, str]:
        """Values of a loaded module's parameters, by name; those that nobody may read are left out."""
        data, status = self._running().collect(Ask.PARAMETERS, name.encode() + b"\0")
        if status < 0 and status != -_ENOENT:  # one without parameters has no such directory
            raise _os_error(status, f"parameters of {name}")
        pairs = (item.partition(b"\0") for item in sorted(data))
        return {key.decode(): value.decode("utf-8", "replace").removesuffix("\n") for key, _, value in pairs}

    def log(self) -> Log:
        """The kernel log since this guest was started."""
        if self._session is None:
            return Log()
        if self.alive:
            self._step(Ask.PING)
        return Log(self._session.records.since())

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
        status = self._running().call(Ask.RUN, *_build_run(argv, _ENVIRONMENT, _STDIN if stdin else ""))[0]
        if status < 0:
            raise _not_run(argv, status, isinstance(command, str))
        return self._wait_command(argv, timeout if timeout is not None else self.timeout)

    def _wait_command(self, argv: Sequence[str], timeout: float) -> ExecResult:
        session = self._running()
        out, err = bytearray(), bytearray()
        until = session.limit(timeout)
        late = False
        while True:
            frame = session.next(until, hang=late)
            if frame is None and (more := session.more()) > 0:
                until = time.monotonic() + more
            elif frame is None:
                late, until = True, time.monotonic() + _GRACE
                session.vm.channel.signal(signal.SIGKILL)
            elif frame.type == Say.OUT:
                out += frame.body
            elif frame.type == Say.ERR:
                err += frame.body
            elif frame.type == Say.EXIT:
                break
        if late:
            raise OutOfTimeError(f"no end after {timeout:g} s in the guest: {' '.join(argv)}")
        status, took = struct.unpack("<qQ", frame.body)
        return ExecResult(_exit_status(status), bytes(out), bytes(err), took / 1e9)

    def shell(self, stdin: int = 0, stdout: int = 1, command: Sequence[str] | None = None) -> int:
        """A terminal in the guest: line editing, Ctrl-C, the window's size; returns the shell's status.

        `stdin`, `stdout`: open files of this process, put into raw mode meanwhile where they are a
        terminal.  `command`: what runs there instead of the shell.
        """

        from lkm.guest.shell import run_shell

        argv = list(command) if command else ["/bin/busybox", "sh", "-l"]
        environment = _ENVIRONMENT | {"TERM": os.environ.get("TERM") or "linux"}

        def begin(rows: int, columns: int) -> None:
            asked = _build_run(argv, environment, "", terminal=(rows, columns))
            status = self._running().call(Ask.RUN, *asked)[0]
            if status < 0:
                raise _not_run(argv, status, command is None)

        return _exit_status(run_shell(self._running(), begin, stdin, stdout))

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
            status = self._running().call(Ask.PUT, head, path, view[at : at + _PIECE])[0]
            if status < 0:
                raise _os_error(status, f"{destination} in the guest")

    def copy_out(self, source: str) -> bytes:
        """A file's contents."""
        data, status = self._running().collect(Ask.GET, source.encode() + b"\0")
        if status < 0:
            raise _os_error(status, f"{source} in the guest")
        return b"".join(data)

    def copy_program(self, path: Path, destination: str | None = None) -> str:
        """Copies a host file in, to /root where `destination` is not given; returns where it is.

        A dynamically linked program's interpreter and libraries come with it, at their own paths.
        """
        from lkm.guest.programs import find_libraries

        target = destination or f"/root/{path.name}"
        self.copy_in(path, target)

        for library in find_libraries(path):
            self.copy_in(library.path, library.target, 0o755)
        return target

    def _running(self) -> Session:
        if self._session is None or self._session.vm.closed:
            raise UsageError("the guest is not running")
        return self._session

    def _step(self, kind: Ask, *parts: bytes) -> Step:
        status, took = self._running().call(kind, *parts)
        if status == _KILLED:
            self._killed = True
            return Step(False, 0, "killed by an oops", took)
        return Step(status >= 0, max(-status, 0), os.strerror(-status) if status < 0 else "", took)


def _build_run(
    argv: Sequence[str], environment: Mapping[str, str], stdin: str, terminal: tuple[int, int] | None = None
) -> tuple[bytes, bytes]:
    """A request to run a program, as agent/command.c reads it."""
    texts = [stdin or "/dev/null", *argv, *(f"{name}={value}" for name, value in environment.items())]
    flags, (rows, columns) = (1, terminal) if terminal else (0, (0, 0))
    head = struct.pack("<IHHII", flags, rows, columns, len(argv), len(environment))
    return head, b"".join(os.fsencode(text) + b"\0" for text in texts)


def _exit_status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _not_run(argv: Sequence[str], status: int, shell: bool) -> LkmError:
    if shell and status == -_ENOENT:
        return MissingError("the guest has no shell: busybox is not on this machine", hint="lkm doctor")
    return UsageError(f"{argv[0]}: cannot be run in the guest: {os.strerror(-status)}")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def _os_error(status: int, what: str) -> LkmError:
    return BadInputError(f"{what}: {os.strerror(-status)}")


def _read_image(path: Path) -> bytes:
    """A module's bytes as the kernel wants them; reading plain ones needs none of what unpacking does."""
    if path.suffix == ".ko":
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from error
        if data.startswith(b"\x7fELF"):
            return data
    from lkm.module.file import read_module_bytes

    return read_module_bytes(path)


def _name_of(path: Path) -> str:
    return path.name.partition(".")[0].replace("-", "_")


def _name_in(image: bytes) -> str:
    """A module's name, from the bytes of its file."""
    at = image.find(b"\0name=")
    return image[at + 6 : image.find(b"\0", at + 6)].decode("ascii", "replace") if at >= 0 else "module"


# What an oops begins with (arch/x86: show_fault_oops, die, exc_*; lib/bug.c; arm64, riscv: die); the text
# alone, since the levels differ.
_OOPS_STARTS = (
    "BUG: ",
    "Oops: ",
    "Oops - ",
    "kernel BUG at ",
    "general protection fault",
    "divide error: ",
    "invalid opcode: ",
    "stack segment: ",
    "Internal error: ",
    "Unable to handle kernel ",
)
# Reports that begin so and kill nobody.
_NOT_OOPS_STARTS = (
    "BUG: soft lockup",
    "BUG: workqueue lockup",
    "BUG: sleeping function",
    "BUG: scheduling while",
)


def _is_oops(record: Record) -> bool:
    return record.text.startswith(_OOPS_STARTS) and not record.text.startswith(_NOT_OOPS_STARTS)
