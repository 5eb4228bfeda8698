# SPDX-License-Identifier: MIT
"""Where gdb connects: directories with numbers, sockets for this user alone; and what it is told in files."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from threading import Thread

import pytest

from lkm.errors import UsageError
from lkm.guest.gdb.place import Place
from lkm.guest.gdb.script import (
    ModuleSymbols,
    build_add_command,
    build_launch_entry,
    build_symbol_commands,
    move_init,
)

MODULE = ModuleSymbols("hello", Path("/a dir/hello.ko"), frozenset(), True, "hello_init", "")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "c"))
    return tmp_path / "c"


def test_runs_at_the_same_time_have_their_own_and_a_later_one_the_first_again(cache: Path) -> None:
    one, two = Place(), Place()
    assert (one.directory, two.directory) == (cache / "gdb" / "1", cache / "gdb" / "2")
    assert stat.S_IMODE(one.directory.stat().st_mode) == 0o700
    (one.directory / "left").touch()
    one.close()
    again = Place()
    assert again.directory == one.directory
    assert [path.name for path in again.directory.iterdir()] == ["socket"]
    again.close()
    two.close()


def test_a_port_goes_with_the_number_and_is_the_next_where_it_is_taken() -> None:
    one, two = Place(port=True), Place(port=True)
    assert one.port != two.port
    assert one.tcp_address == f"localhost:{one.port}"
    one.close()
    two.close()


def test_a_path_too_long_for_a_socket_is_a_port(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", str(cache / ("long" * 30)))
    place = Place()
    assert place.address == f"localhost:{place.port}"
    place.close()


@pytest.mark.parametrize(("first", "taken"), [(b"+$qSupported#37", True), (b"GET / HTTP/1.1\r\n", False)])
def test_only_what_talks_like_gdb_is_let_in(first: bytes, taken: bool) -> None:
    place = Place(port=True)
    for listener in place.listeners:
        client = socket.socket(listener.family)
        client.connect(listener.getsockname())
        sender = Thread(target=client.sendall, args=(first,))
        sender.start()
        peer = place.accept(listener)
        sender.join()
        assert (peer is not None) is taken
        client.close()
        if peer is not None:
            peer.close()
    place.close()


def test_names_that_would_be_other_commands_are_not_told() -> None:
    addresses = {".text": 0x10, ".evil\nshell touch /tmp/x": 0x20, ".symtab": 0x30}
    assert build_add_command(MODULE, addresses) == 'add-symbol-file "/a dir/hello.ko" -s .text 0x10'
    with pytest.raises(UsageError, match="line break"):
        build_symbol_commands(Path("/a\nb"), [], None)


def test_code_that_was_freed_is_moved_out_of_the_way() -> None:
    moved = move_init({".init.text": 0xFFFFFFFFC0001000, ".text": 0xFFFFFFFFC0000000, ".init.data": 1})
    assert moved[".text"] == 0xFFFFFFFFC0000000
    assert moved[".init.text"] != moved[".init.data"]
    assert all(address >> 47 == 1 << 16 for name, address in moved.items() if "init" in name)


def test_the_kernels_own_commands_and_headers_are_found(tmp_path: Path) -> None:
    (tmp_path / "vmlinux-gdb.py").touch()
    text = build_symbol_commands(tmp_path / "vmlinux", [(MODULE, {".text": 1})], Path("/unpacked/usr/src"))
    assert f"add-auto-load-safe-path {tmp_path}\n" in text
    assert "set substitute-path /usr/src /unpacked/usr/src\n" in text
    assert text.index("safe-path") < text.index(f"file {tmp_path / 'vmlinux'}\n") < text.index("add-symbol")


def test_the_entry_for_an_editor_names_what_it_must() -> None:
    entry = build_launch_entry("hello", Path("/k/vmlinux"), Path("/d/vscode.gdb"), "localhost:1234")
    assert entry["miDebuggerServerAddress"] == "localhost:1234"
    assert entry["program"] == "/k/vmlinux"
    assert entry["setupCommands"] == [{"text": "source /d/vscode.gdb"}]
    assert (entry["type"], entry["request"], entry["MIMode"]) == ("cppdbg", "launch", "gdb")
