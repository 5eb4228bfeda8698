# SPDX-License-Identifier: MIT
"""A guest that waits for gdb before a module's init function, and goes on when gdb leaves.

gdb does not talk to QEMU itself but to a thread here, which passes on what the two say: QEMU does nothing
when a gdb is gone, and would stand still for ever; and a module loaded while gdb is there has its sections
read before gdb is told that the guest stopped.
"""

from __future__ import annotations

import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lkm.errors import LkmError, MissingError
from lkm.guest.gdb.place import Place
from lkm.guest.gdb.script import (
    ModuleSymbols,
    build_add_command,
    build_break_commands,
    build_forget_commands,
    build_launch_entry,
    build_loadable,
    build_next_commands,
    build_start_commands,
    build_symbol_commands,
    move_init,
    read_module_symbols,
)
from lkm.guest.gdb.sections import Layout, find_layout, find_modules, module_name_at, read_sections
from lkm.guest.gdb.stub import RDI, RIP, Stub, connect_stub
from lkm.guest.gdb.symbols import KernelSymbols, find_own_symbols, make_symbols
from lkm.guest.session import Session
from lkm.module.file import read_module_bytes

if TYPE_CHECKING:
    from lkm.kernel import Kernel
    from lkm.kernel.kallsyms import MapSymbol

_STOP_REPLY = re.compile(rb"\$T[0-9a-f]{2}[^#]*#[0-9a-f]{2}\Z")
_ENDED = b"$W00#b7"  # the program exited; what gdb is told at the end of a run
_RESUME = re.compile(rb"\$(?:vCont;[cCsS]|[cs]#)")
_GOODBYE = 3.0  # seconds a gdb that waits for the guest gets to hear that it is over
_LOOK = 1.0  # seconds a call that gdb holds up waits before it asks again
_GONE = (LkmError, OSError, ValueError)  # QEMU, gdb or a socket of ours went away

Found = tuple[ModuleSymbols, Mapping[str, int]]  # a module and its sections' addresses


@dataclass(frozen=True, slots=True)
class Waiting:
    """A guest that waits for gdb: what to type, and what is known.

    `command`: argv.  `lines`: whether `module` has debugging information.  `entry`: for VS Code, empty
    without a port.
    """

    module: str
    command: tuple[str, ...]
    lines: bool
    entry: Mapping[str, Any] = field(default_factory=dict)


class Debugger:
    """gdb's way into the guest of `session`, from now until `close`.

    `on_wait` is called, from a thread of its own, once the guest waits.  `vscode`: offer a TCP port, and an
    entry for its launch.json.  `read_guest` reads the guest's /proc/kallsyms, for kernels whose image cannot
    be read.
    """

    def __init__(
        self,
        session: Session,
        kernel: Kernel,
        *,
        on_wait: Callable[[Waiting], None],
        read_guest: Callable[[], list[MapSymbol]],
        vscode: bool = False,
    ) -> None:
        self._session = session
        self._on_wait = on_wait
        self._vscode = vscode
        self._root = _find_sources(kernel)
        self._layout: Layout | None = None
        self._told: dict[str, Found] = {}  # modules whose symbols gdb has
        self._expected: ModuleSymbols | None = None
        self._others: dict[str, Path] = {}
        self._more = False  # whether gdb has to hear of modules after the first
        self._held = False
        self._left = 0.0  # when gdb went, by time.monotonic
        self._runs = False  # whether gdb waits for the guest
        self._closed = False
        self._problem: Exception | None = None
        self._thread: threading.Thread | None = None
        self._client: socket.socket | None = None
        self._stub: Stub = None  # type: ignore[assignment]  # until it is connected
        made = make_symbols(kernel, read_guest) if not _has_own(kernel) else None
        self._place = Place(port=vscode)
        try:
            self._connect()
            self._symbols = made or self._choose_symbols(kernel, read_guest)
            self._stub.run()
        except BaseException:
            self._place.close()
            raise
        session.hold = self._hold

    def _choose_symbols(self, kernel: Kernel, read_guest: Callable[[], list[MapSymbol]]) -> KernelSymbols:
        found = find_own_symbols(kernel, self._stub.read)
        if found is None:
            self._stub.run()  # the guest may be asked for its symbols
            found = make_symbols(kernel, read_guest)
            self._connect()
        return found

    def _connect(self) -> None:
        """A conversation with the stub, in place of the one before; the guest stops."""
        old = self._stub
        self._stub = Stub(connect_stub(self._session.vm.qmp))
        if old is not None:
            old.close()

    @contextmanager
    def expecting(
        self, name: str, path: Path, *, others: Mapping[str, Path], last: bool = True
    ) -> Iterator[None]:
        """Within the block the module of that name is loaded: the guest stops before its init function.

        `path`: its file.  `others`: files of modules that may be loaded already, by name.  `last`:
        whether no other module is expected after it.  Raises what kept the guest from waiting.
        """
        self._expected = self._read_symbols(name, path)
        self._others = dict(others)
        if self._thread is None:
            self._more = not last
            self._stub.socket.send(b"\x03")  # stops it
            self._stub.wait_stop(time.monotonic() + 5)
            self._stub.set_breakpoint(self._symbols.loader)
            self._stub.run()
            self._thread = threading.Thread(target=self._work, name="lkm-gdb", daemon=True)
            self._thread.start()
        yield
        self._expected = None
        if self._problem is not None:
            raise self._problem

    def close(self) -> None:
        """Ends it before the guest is ended: a gdb that waits for it is told that the program exited."""
        self._closed = True
        self._session.hold = None
        client = self._client
        if client is not None and self._runs:
            with suppress(OSError):
                client.sendall(_ENDED)
        self._stub.close()
        if self._thread is not None:
            self._thread.join(5)
        self._place.close()

    def _hold(self) -> float:
        """Seconds more that a call may take: gdb's time does not count, the limit begins when it leaves."""
        if self._held:
            return _LOOK
        return self._left + self._session.timeout - time.monotonic() if self._left else 0.0

    # --- the thread ------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._await_loader()
            while not self._closed:
                client = self._accept()
                if client is not None:
                    self._serve(client)
        except _GONE as error:
            if not self._closed:
                self._problem = error if isinstance(error, LkmError) else MissingError(str(error))
                with suppress(*_GONE):
                    self._stub.detach()
        finally:
            self._held = False

    def _await_loader(self) -> None:
        """Waits until the kernel is about to call the expected module's init, and for nobody else's."""
        while True:
            processor = self._stub.wait_stop()
            module = self._stub.register(RDI)
            expected = self._expected
            if expected is not None and module_name_at(self._stub, module) == expected.name:
                break
            # On from a breakpoint: without it for one instruction, as gdb does.
            self._stub.set_breakpoint(self._symbols.loader, there=False)
            self._stub.send("s")
            self._stub.wait_stop()
            self._stub.set_breakpoint(self._symbols.loader)
            self._stub.run()
        self._stub.set_breakpoint(self._symbols.loader, there=False)
        found = self._read_modules(module, expected)
        self._held = True
        waiting = self._write(expected, found, processor)
        threading.Thread(target=self._on_wait, args=(waiting,), daemon=True).start()

    def _read_modules(self, module: int, expected: ModuleSymbols) -> list[Found]:
        """The modules gdb does not know yet, the expected one last, with their sections' addresses."""
        if self._layout is None:
            self._layout = find_layout(self._stub, module, expected.sections)
        found: list[Found] = []
        wanted = self._others.keys() - self._told - {expected.name}
        for name, place in find_modules(self._stub, module, wanted).items():
            other = self._read_symbols(name, self._others[name])
            sections = read_sections(self._stub, place, self._layout, other.sections)
            found.append((other, move_init(sections)))
        found.append((expected, read_sections(self._stub, module, self._layout, expected.sections)))
        self._told |= {one[0].name: one for one in found}
        return found

    def _read_symbols(self, name: str, path: Path) -> ModuleSymbols:
        """Of a module's file, or of a copy that gdb can read."""
        data = read_module_bytes(path)
        fit = build_loadable(data)
        if path.suffix != ".ko" or fit != data:
            path = self._place.directory / f"{name}.ko"
            path.write_bytes(fit)
        return read_module_symbols(name, path.absolute())

    def _write(self, module: ModuleSymbols, found: list[Found], processor: int) -> Waiting:
        """Writes gdb's commands; what to type."""
        directory = self._place.directory
        symbols, following = directory / "symbols.gdb", directory / "next.gdb"
        start, editor = directory / f"{module.name}.gdb", directory / "vscode.gdb"
        text = build_symbol_commands(self._symbols.path, found, self._root)
        breaks = build_break_commands(module)
        if self._more:
            following.write_text("")
            breaks += build_next_commands(self._symbols.loader, following)
        symbols.write_text(text)
        editor.write_text(text + breaks)
        thread = processor if self._session.vm.machine.cpus > 1 else 0
        start.write_text(build_start_commands(symbols, self._place.address, module.name, breaks, thread))
        entry: dict[str, Any] = {}
        if self._vscode:
            entry = build_launch_entry(module.name, self._symbols.path, editor, self._place.tcp_address)
        return Waiting(module.name, ("gdb", "-x", str(start)), module.lines, entry)

    def _accept(self) -> socket.socket | None:
        """The next gdb, while the guest stays as it is; raises `LkmError` once QEMU ended."""
        ready, _, _ = select.select([*self._place.listeners, self._stub.socket], [], [])
        for one in ready:
            if one is not self._stub.socket:
                return self._place.accept(one)
        if not self._stub.socket.recv(4096):
            raise OSError("QEMU ended")
        return None

    def _serve(self, client: socket.socket) -> None:
        """One gdb, until it leaves; the guest goes on then, without its breakpoints."""
        self._connect()
        self._held = True
        self._client = client
        self._runs = False
        try:
            self._relay(client, self._stub.socket)
        finally:
            self._client = None
            client.close()
            if not self._closed:
                self._connect()
                self._stub.detach()
                self._left = time.monotonic()
                self._held = False

    def _relay(self, client: socket.socket, stub: socket.socket) -> None:
        """Passes on what each says, until gdb leaves."""
        while True:
            ready, _, _ = select.select([client, stub], [], [])
            if client in ready:
                data = _receive(client)
                if not data:
                    return
                self._runs = self._runs or _RESUME.search(data) is not None
                stub.sendall(data)
            if stub in ready:
                data = stub.recv(65536)
                if not data:
                    if self._runs:
                        _let_go(client)
                    raise OSError("QEMU ended")
                if _STOP_REPLY.search(data):
                    self._runs = False
                    if self._more:
                        self._tell_next()
                with suppress(OSError):  # that it left is seen above
                    client.sendall(data)

    def _tell_next(self) -> None:
        """The guest stopped, and gdb waits to hear of it: writes what it is to read there."""
        self._stub.socket.sendall(b"+")
        if self._stub.register(RIP) != self._symbols.loader:
            return
        text = ""  # where a program in the guest loads another module
        module, expected = self._stub.register(RDI), self._expected
        if expected is not None and module_name_at(self._stub, module) == expected.name:
            with suppress(LkmError):
                text = "".join(build_forget_commands(*one) for one in self._told.values())
                found = self._read_modules(module, expected)
                text += "".join(f"{build_add_command(one, where)}\n" for one, where in found)
                text += build_break_commands(expected)
        (self._place.directory / "next.gdb").write_text(text)


def _let_go(client: socket.socket) -> None:
    """Waits a little for gdb's end of the connection: closed before it has said so, gdb calls it broken."""
    client.settimeout(_GOODBYE)
    with suppress(OSError):
        while client.recv(4096):
            pass


def _receive(client: socket.socket) -> bytes:
    try:
        return client.recv(65536)
    except ConnectionError:
        return b""


def _has_own(kernel: Kernel) -> bool:
    return kernel.build is not None and (kernel.build / "vmlinux").is_file()


def _find_sources(kernel: Kernel) -> Path | None:
    """Where a distribution's /usr/src was unpacked: headers are recorded as if it were at its place."""
    if kernel.build is None:
        return None
    for parent in kernel.build.parents:
        if parent.parts[-2:] == ("usr", "src") and parent != Path("/usr/src"):
            return parent
    return None
