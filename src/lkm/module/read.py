# SPDX-License-Identifier: MIT
"""One module file: each part read when it is asked for."""

from __future__ import annotations

import struct
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.elf import Elf, Section, Source, Symbol, parse_elf
from lkm.elf.number import ET_REL, STB_WEAK, TYPE_NAMES
from lkm.errors import BadInputError
from lkm.module.file import module_name, open_module
from lkm.module.value import Export, Import, Parameter
from lkm.module.versions import read_versions

# What not every use of a module asks for is imported where it is asked for: starting counts.
if TYPE_CHECKING:
    from lkm.module.layout import Layout
    from lkm.module.signature import Signature

_NT_GNU_BUILD_ID = 3
# include/linux/license.h, license_is_gpl_compatible(); the same from 2.6 to 7.x.
GPL_COMPATIBLE = frozenset(
    {"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"}
)
THIS_MODULE = ".gnu.linkonce.this_module"


class Module:
    """A module file.  Its parts do not change; each is read at its first use and kept.

    Made by `read_module`.  Any part raises `BadInputError`, naming the file and the offset, where the
    file is cut off or lies.
    """

    def __init__(self, path: Path, elf: Elf) -> None:
        self.path = path
        self.elf = elf

    def __repr__(self) -> str:
        return f"Module({str(self.path)!r})"

    @property
    def arch(self) -> str:
        """The machine it was built for, as `uname -m` says it."""
        return self.elf.header.arch

    @cached_property
    def information(self) -> tuple[tuple[str, str], ...]:
        """`.modinfo` in its order: (key, value); keys may repeat (`alias`, `parm`, `import_ns`)."""
        data = self.elf.read_named(".modinfo")
        if data is None:
            return ()
        # NUL-separated, with any number of NULs as padding; the last may lack its own.
        texts = (raw.decode("utf-8", "surrogateescape") for raw in data.split(b"\0") if raw)
        return tuple((key, value) for key, _, value in (text.partition("=") for text in texts))

    def values(self, key: str) -> tuple[str, ...]:
        """All values of a key of `.modinfo`, in their order."""
        return tuple(value for name, value in self.information if name == key)

    def value(self, key: str) -> str:
        """The first value of a key of `.modinfo`, "" where there is none."""
        return next((value for name, value in self.information if name == key), "")

    @cached_property
    def name(self) -> str:
        """The name it is loaded under: `struct module`'s, else `.modinfo`'s, else the file's."""
        return self._built_in_name() or self.value("name") or module_name(self.path.name)

    @property
    def vermagic(self) -> str:
        """The version magic, "" where there is none."""
        return self.value("vermagic")

    @property
    def licence(self) -> str:
        """MODULE_LICENSE, "" where there is none (the kernel then takes it as proprietary)."""
        return self.value("license")

    @cached_property
    def depends(self) -> tuple[str, ...]:
        """Names of the modules whose symbols it uses, as modpost wrote them, dashes as underscores."""
        names = ",".join(self.values("depends")).split(",")
        return tuple(name.strip().replace("-", "_") for name in names if name.strip())

    @cached_property
    def softdeps(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """MODULE_SOFTDEP: the names to load before, and after."""
        pre: list[str] = []
        post: list[str] = []
        for text in self.values("softdep"):
            into: list[str] | None = None
            for word in text.split():
                if word in {"pre:", "post:"}:
                    into = pre if word == "pre:" else post
                elif into is not None:
                    into.append(word.replace("-", "_"))
        return tuple(pre), tuple(post)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters in the order `.modinfo` first names them, then those it does not name."""
        from lkm.module.parameters import read_parameters

        return read_parameters(self.elf, self.information)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """The symbols that are to come from the kernel or other modules, in the symbol table's order."""
        crcs = self.versions
        return tuple(
            Import(symbol.name, symbol.binding == STB_WEAK, crcs.get(symbol.name))
            for symbol in self.elf.undefined
        )

    @cached_property
    def versions(self) -> dict[str, int]:
        """CRC of each symbol used, `module_layout` included; empty without MODVERSIONS."""
        return read_versions(self.elf)

    @cached_property
    def exports(self) -> tuple[Export, ...]:
        """The symbols it offers, sorted by name.

        Up to 7.0 the section tells the licence (`__ksymtab_gpl`); from 7.1 a byte of `__kflagstab`,
        bit 0, does.  Read by the symbols `__ksymtab_X`, `__kstrtabns_X` and `__crc_X`, since in a `.ko`
        the table itself still waits for its relocations.
        """
        if not any(name.startswith(("__ksymtab", "___ksymtab")) for name in self.elf.names):
            return ()
        symbols = {symbol.name: symbol for symbol in self.elf.symbols if symbol.name.startswith("__")}
        found = []
        for name, symbol in symbols.items():
            if not name.startswith("__ksymtab_") or not self._is_real(symbol):
                continue
            plain = name.removeprefix("__ksymtab_")
            place = self.elf.section(symbol.section)
            gpl = place.name.startswith(("__ksymtab_gpl", "___ksymtab_gpl")) or self._flag(symbols, plain)
            namespace = self._text_at(symbols.get(f"__kstrtabns_{plain}"))
            found.append(Export(plain, gpl, namespace, self._crc(symbols.get(f"__crc_{plain}"))))
        return tuple(sorted(found, key=lambda export: export.name))

    @cached_property
    def signature(self) -> Signature | None:
        """The signature appended to the file, None where there is none that can be read."""
        from lkm.module.signature import read_signature

        return read_signature(self.elf.source)

    @cached_property
    def layout(self) -> Layout:
        """What its sections are for and cost."""
        from lkm.module.layout import read_layout

        return read_layout(self.elf)

    @cached_property
    def sizes(self) -> Layout:
        """`layout` without functions and variables: thousands of symbols are not looked at."""
        from lkm.module.layout import read_layout

        return read_layout(self.elf, names=False)

    @property
    def gpl_compatible(self) -> bool:
        """Whether it may use symbols exported with EXPORT_SYMBOL_GPL (include/linux/license.h).

        Of several `license=` the first counts, as in the kernel (kernel/module/main.c, `get_modinfo`).
        """
        return self.licence in GPL_COMPATIBLE

    @cached_property
    def starts_and_ends(self) -> tuple[bool, bool]:
        """Whether it has an init and an exit function."""
        init, leave = (
            any(self._is_real(symbol) for symbol in self.elf.symbols_named(name))
            for name in ("init_module", "cleanup_module")
        )
        return init, leave

    @property
    def can_unload(self) -> bool:
        """Whether it can be unloaded: one with an init needs an exit (`delete_module` gives EBUSY)."""
        init, leave = self.starts_and_ends
        return leave or not init

    @cached_property
    def build_id(self) -> str:
        """The build identifier in hexadecimal, "" where there is none."""
        data = self.elf.read_named(".note.gnu.build-id")
        if data is None or len(data) < 12:
            return ""
        name_size, size, kind = struct.unpack_from(self.elf.order + "III", data)
        start = 12 + (name_size + 3 & ~3)
        return data[start : start + size].hex() if kind == _NT_GNU_BUILD_ID else ""

    @cached_property
    def compilers(self) -> tuple[str, ...]:
        """What it was compiled with, where it says (`.comment`), each once."""
        data = self.elf.read_named(".comment") or b""
        return tuple(dict.fromkeys(raw.decode("utf-8", "replace") for raw in data.split(b"\0") if raw))

    @cached_property
    def _sections(self) -> dict[int, bytes]:
        return {}

    def _section_bytes(self, section: Section) -> bytes:
        if section.index not in self._sections:
            self._sections[section.index] = self.elf.read_section(section)
        return self._sections[section.index]

    def _is_real(self, symbol: Symbol) -> bool:
        return 0 < symbol.section < len(self.elf.rows)

    def _flag(self, symbols: dict[str, Symbol], name: str) -> bool:
        flag = symbols.get(f"__flags_{name}")
        if flag is None or not self._is_real(flag):
            return False
        data = self._section_bytes(self.elf.section(flag.section))
        return flag.value < len(data) and bool(data[flag.value] & 1)

    def _text_at(self, symbol: Symbol | None) -> str:
        if symbol is None or not self._is_real(symbol):
            return ""
        data = self._section_bytes(self.elf.section(symbol.section))
        return data[symbol.value :].partition(b"\0")[0].decode("utf-8", "replace")

    def _crc(self, symbol: Symbol | None) -> int | None:
        if symbol is None:
            return None
        if not self._is_real(symbol):
            return symbol.value & 0xFFFFFFFF  # an absolute symbol: the CRC is its value (before 5.19)
        data = self._section_bytes(self.elf.section(symbol.section))
        if symbol.value + 4 > len(data):
            raise BadInputError(f"{self.path}: {symbol.name} lies outside its section")
        return int(struct.unpack_from(self.elf.order + "I", data, symbol.value)[0])

    def _built_in_name(self) -> str:
        """`struct module`: enum state, padding, two list pointers, then name[64 - sizeof(long)]."""
        section = self.elf.find_section(THIS_MODULE)
        if section is None:
            return ""
        pointer = self.elf.header.bits // 8
        start, length = 3 * pointer, 64 - pointer
        if section.size < start + length:
            raise BadInputError(f"{self.path}: section {THIS_MODULE} has {section.size} bytes: too few")
        raw = self.elf.source.read(section.offset + start, length, f"section {THIS_MODULE}")
        return raw.partition(b"\0")[0].decode("utf-8", "replace")


def read_module(path: Path | str) -> Module:
    """The module file `path`, compressed or not.

    Raises `BadInputError` where it cannot be read, is no ELF file, is cut off, or is an object file but
    not a module (it has neither `.gnu.linkonce.this_module` nor `.modinfo`).
    """
    return parse_module(open_module(path), path=Path(path))


def parse_module(source: Source, *, path: Path) -> Module:
    """A module from a source of bytes; `path` is what it is called.  Raises what `read_module` raises."""
    elf = parse_elf(source)
    kind = elf.header.type
    names = elf.names
    if kind != ET_REL:
        raise BadInputError(
            f"{path} is not a kernel module: its ELF type is {kind} ({TYPE_NAMES.get(kind, 'unknown')}), "
            f"a module's is {ET_REL} ({TYPE_NAMES[ET_REL]})"
        )
    if THIS_MODULE not in names and ".modinfo" not in names:
        raise BadInputError(
            f"{path} is an object file but not a kernel module: it has no section {THIS_MODULE}",
            hint=f"lkm build {path.parent}",
        )
    return Module(path, elf)
