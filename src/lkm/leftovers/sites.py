# SPDX-License-Identifier: MIT
"""Who allocated what is in use, from the kernel's own records; names of places in modules that are gone.

/sys/kernel/debug/slab/CACHE/alloc_traces (mm/slub.c; `slub_debug=U` on the kernel's command line).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.elf import Elf, parse_elf
from lkm.elf.number import STT_FUNC
from lkm.errors import BadInputError, LkmError
from lkm.leftovers.place import Place
from lkm.module.file import open_module

_HEAD = re.compile(r"^ *(\d+) (\S+)")
_BARE = re.compile(r"^0x([0-9a-f]{16})$")
# MODULES_VADDR; with CONFIG_RANDOMIZE_BASE it is 0xffffffffc0000000.  What has no name there was unloaded.
_MODULES = 0xFFFFFFFFA0000000
_CALL = 0xE8
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Allocation:
    """Objects that one place allocated and nobody freed; `frames` as printed, innermost first."""

    count: int
    frames: tuple[str, ...]

    @property
    def own(self) -> int:
        """The innermost address in a module that was unloaded, 0 where none is."""
        return next((address for frame in self.frames if (address := bare_address(frame))), 0)

    @property
    def depth(self) -> int:
        """How many of `frames` lead from the allocation to a module, its own included; 0: none does.

        Where a function of the module ends with a call, the compiler makes a jump of it and there is no
        frame: then what the kernel calls init and exit functions from tells that one was there.
        """
        own = [index for index, frame in enumerate(self.frames) if bare_address(frame)]
        if own:
            return own[-1] + 1
        names = [frame.partition("+")[0] for frame in self.frames]
        if "do_init_module" in names and "do_one_initcall" in names:
            return names.index("do_one_initcall")
        return next((index for index, name in enumerate(names) if "sys_delete_module" in name), 0)


def bare_address(frame: str) -> int:
    """The address that a frame without a name is in a module's range of addresses, else 0."""
    match = _BARE.match(frame)
    address = int(match[1], 16) if match else 0
    return address if address >= _MODULES else 0


def parse_traces(text: str) -> list[Allocation]:
    """The file `alloc_traces` of one cache."""
    found: list[Allocation] = []
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.strip()]
        match = _HEAD.match(lines[0]) if lines else None
        if match:
            frames = [line.strip() for line in lines[1:]] or [match[2]]
            found.append(Allocation(int(match[1]), tuple(frames)))
    return found


class Namer:
    """Names of places in unloaded modules: `files` by module name, `places` wherever they have lain."""

    def __init__(self, files: Mapping[str, Path], places: Iterable[Place]) -> None:
        self._files = files
        self._places = tuple(places)

    def name(self, address: int) -> str:
        """`hello_init+0x2a [hello]`; the bare address where it cannot be told.

        `address` is one to return to, behind a call.  The memory of init functions was given back before it
        could be seen where it lay, and in a kernel that cannot be looked into that holds for all: the only
        place behind a call that lies so in its page is it.
        """
        for place in self._places:
            if place.holds(address):
                return f"{place.name_at(address)} [{place.name}]"
        found = [
            f"{one} [{name}]"
            for name, path in self._files.items()
            for one in self._behind_calls(path, address)
        ]
        return found[0] if len(found) == 1 else f"{address:#x}"

    def source(self, address: int) -> str:
        """The source line of that place, `hello.c:31`; "" where the module has no debug information."""
        symbol, _, rest = self.name(address).partition("+")
        offset, _, module = rest.partition(" ")
        path = self._files.get(module.strip("[]"))
        if path is None:
            return ""
        from lkm.decode.code import open_code
        from lkm.klog.report import Frame

        try:
            code = open_code(path)
            found = code.find(Frame(symbol, int(offset, 16)))
            sites = code.sites(found.address - 1) if found.symbol is not None else ()  # the call itself
        except (LkmError, ValueError):
            return ""
        lines = [one for one in sites if one.line and "/include/" not in one.path]  # kmalloc() is in a header
        return f"{lines[0].path.rpartition('/')[2]}:{lines[0].line}" if lines else ""

    def frames(self, frames: Sequence[str]) -> tuple[str, ...]:
        """A trace with names for what the kernel had none for."""
        return tuple(self.name(found) if (found := bare_address(one)) else one for one in frames)

    def _behind_calls(self, path: Path, address: int) -> Iterator[str]:
        """Names of the places in a file that lie behind a call and may have been at an address."""
        try:
            elf = parse_elf(open_module(path))
            for section in (".init.text",) if self._places else (".init.text", ".text"):
                found, code = elf.find_section(section), elf.read_named(section) or b""
                for at in range(address % _PAGE, len(code) + 1, _PAGE):
                    if found is not None and at >= 5 and code[at - 5] == _CALL:
                        yield _name_in(elf, found.index, at)
        except BadInputError:
            return


def _name_in(elf: Elf, section: int, offset: int) -> str:
    for one in elf.symbols:
        if one.section == section and one.type == STT_FUNC and one.value < offset <= one.value + one.size:
            return f"{one.name}+{offset - one.value:#x}"
    return ""
