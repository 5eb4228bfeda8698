# SPDX-License-Identifier: MIT
"""What gdb is told: commands in files for `gdb -x` and `source`, and a launch entry for VS Code."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lkm.elf import open_source, parse_elf
from lkm.elf.number import STT_FUNC
from lkm.errors import UsageError
from lkm.guest.gdb.sections import THIS_MODULE

_STT_FILE = 4
_NOT_TOLD = (THIS_MODULE, ".symtab", ".strtab")  # in memory, but no section of the file for gdb
# A module's names become words of gdb's commands, which can run programs: others are not told.
_PLAIN = re.compile(r"[\w.$-]+")
_NOWHERE, _FAR = 1 << 63, 1 << 32  # no canonical address


@dataclass(frozen=True, slots=True)
class ModuleSymbols:
    """A module's file for gdb: `sections` has the names of its sections.

    `lines`: whether it has debugging information.  `init`, `leave`: the places of its init and exit functions
    as gdb's breakpoint commands take them, "" where it has none or a symbol does not tell.
    """

    name: str
    path: Path
    sections: frozenset[str]
    lines: bool
    init: str
    leave: str


def read_module_symbols(name: str, path: Path) -> ModuleSymbols:
    """What gdb needs to know of a `.ko` file; raises `BadInputError` where it is none."""
    elf = parse_elf(open_source(path))
    lines = elf.find_section(".debug_info") is not None
    places = {"init_module": "", "cleanup_module": ""}
    values: dict[tuple[int, int], list[tuple[str, str]]] = {}
    source = ""
    for symbol in elf.symbols:
        if symbol.type == _STT_FILE:
            source = symbol.name
        elif symbol.type == STT_FUNC:
            local = source if symbol.binding == 0 else ""
            values.setdefault((symbol.section, symbol.value), []).append((symbol.name, local))
    for named in values.values():
        for alias in places.keys() & {one for one, _ in named}:
            own = next((one for one in named if one[0] != alias), (alias, ""))
            places[alias] = _place(*own, lines=lines)
    return ModuleSymbols(
        name, path, frozenset(elf.names), lines, places["init_module"], places["cleanup_module"]
    )


def build_loadable(data: bytes) -> bytes:
    """A module's file as gdb relocates it: with all sections at 0, as they are in most.

    gdb takes a file whose sections have addresses for a linked one (symfile.c, default_symfile_offsets); the
    linker script of some kernels leaves such in modules.
    """
    elf, out = parse_elf(data), bytearray(data)
    for index in range(len(elf.rows)):
        struct.pack_into("<Q", out, elf.header.section_offset + 64 * index + 16, 0)
    return bytes(out)


def _place(function: str, source: str, *, lines: bool) -> str:
    """A function as a breakpoint command takes it; with its source file, since such names are common."""
    if not _PLAIN.fullmatch(function):
        return ""
    return f"-source {source} -function {function}" if lines and _PLAIN.fullmatch(source) else function


def build_symbol_commands(
    kernel_file: Path, modules: Sequence[tuple[ModuleSymbols, Mapping[str, int]]], root: Path | None
) -> str:
    """Loads the kernel's symbols and those of modules, each section at its address.

    `root`: where a distribution's /usr/src was unpacked.
    """
    words = []
    if (kernel_file.parent / "vmlinux-gdb.py").is_file():  # the kernel's own commands, lx-…
        words.append(f"add-auto-load-safe-path {kernel_file.parent}")
    if root is not None:
        words.append(f"set substitute-path /usr/src {root}")
    words.append(f"file {_quote(str(kernel_file))}")
    words += [build_add_command(module, addresses) for module, addresses in modules]
    return _lines(words)


def build_add_command(module: ModuleSymbols, addresses: Mapping[str, int]) -> str:
    """`add-symbol-file` for one module."""
    told = {
        name: address
        for name, address in addresses.items()
        if name not in _NOT_TOLD and _PLAIN.fullmatch(name)
    }
    text = [f"-s {name} {address:#x}" for name, address in told.items()]
    return " ".join(["add-symbol-file", _quote(str(module.path)), *text])


def build_forget_commands(module: ModuleSymbols, addresses: Mapping[str, int]) -> str:
    """Takes a module's init sections away once it has run: the next module may be put in their place."""
    start = min((at for name, at in addresses.items() if name.startswith(".init")), default=0)
    if not start:
        return ""
    return _lines([f"remove-symbol-file -a {start:#x}", build_add_command(module, move_init(addresses))])


def move_init(addresses: Mapping[str, int]) -> dict[str, int]:
    """The same, with init sections where nothing is: gdb would put those without an address among others."""
    moved = {}
    for index, (name, address) in enumerate(addresses.items()):
        moved[name] = _NOWHERE + index * _FAR if name.startswith(".init") else address
    return moved


def build_break_commands(module: ModuleSymbols) -> str:
    """A breakpoint for once in the init function, whose code is freed then, and one in the exit function."""
    words = [f"tbreak {module.init}"] if module.init else []
    words += [f"break {module.leave}"] if module.leave else []
    return _lines(words)


def build_next_commands(loader: int, source: Path) -> str:
    """Has gdb read `source` whenever the kernel is about to call a module's init function."""
    return _lines([f"break *{loader:#x}", "commands", "silent", f"source {source}", "continue", "end"])


def build_start_commands(symbols: Path, address: str, name: str, breaks: str, thread: int = 0) -> str:
    """All of it, for `gdb -x`: symbols, the connection, breakpoints.

    `thread`: the processor that stopped, from 1, where there are several: gdb would take the first.
    """
    said = f"{name} is in memory; its init function has not run yet: continue\\n"
    words = [f"source {symbols}", f"target remote {address}"]
    words += [f"thread {thread}"] if thread else []
    return _lines(words) + breaks + _lines([f"echo {said}"])


def build_launch_entry(name: str, kernel_file: Path, commands: Path, address: str) -> dict[str, Any]:
    """An entry of `configurations` in .vscode/launch.json, for the C/C++ extension (cppdbg).

    Its `setupCommands` run before it connects, so `commands` has all but that; it lets the guest run then.
    """
    return {
        "name": f"lkm: {name}",
        "type": "cppdbg",
        "request": "launch",
        "program": str(kernel_file),
        "cwd": "${workspaceFolder}",
        "MIMode": "gdb",
        "miDebuggerServerAddress": address,
        "setupCommands": [{"text": f"source {commands}"}],
    }


def _quote(text: str) -> str:
    """As gdb's buildargv takes it apart: in double quotes, where backslash and quote are escaped."""
    if "\n" in text:
        raise UsageError(f"gdb cannot be told of a file with a line break in its name: {text!r}")
    if text and not any(char.isspace() or char in "\"'\\" for char in text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _lines(words: Sequence[str]) -> str:
    return "".join(f"{word}\n" for word in words)
