# SPDX-License-Identifier: MIT
"""What a kernel exports to modules: from Module.symvers, or from the image where there are no headers."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

from lkm.elf import Elf, Section, parse_elf
from lkm.elf.number import SHT_NOBITS
from lkm.errors import BadInputError

VMLINUX = "vmlinux"


class ExportRow(NamedTuple):
    """A row of Module.symvers: `owner` is `vmlinux` or a module's path without suffix (`fs/jbd2/jbd2`).

    `crc` is 0 without MODVERSIONS; `namespace` "" for none.
    """

    name: str
    owner: str
    crc: int
    gpl_only: bool
    namespace: str


def parse_symvers(text: str, *, name: str = "Module.symvers") -> list[ExportRow]:
    """The rows of a Module.symvers: crc, symbol, module, export type, namespace, separated by tabs.

    The namespace came with 5.4, and as the last column with 5.10; kernels before have four columns.
    Raises `BadInputError` naming the line.
    """
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("\t")
        if not line.strip():
            continue
        try:
            crc, symbol, owner, kind = words[:4]
            rows.append(
                ExportRow(
                    symbol,
                    owner,
                    int(crc, 16),
                    kind.startswith("EXPORT_SYMBOL_GPL"),
                    words[4] if len(words) > 4 else "",
                )
            )
        except ValueError as error:
            raise BadInputError(
                f"{name}: line {number} is not one of a Module.symvers: {line[:60]!r}"
            ) from error
    return rows


def read_symvers(path: Path) -> list[ExportRow]:
    """`parse_symvers` of a file; raises `BadInputError`."""
    try:
        return parse_symvers(path.read_text(encoding="utf-8", errors="replace"), name=str(path))
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error


def read_image_exports(vmlinux: bytes, *, name: str = VMLINUX) -> list[ExportRow]:
    """What a vmlinux (`kernel.unpack_image`) exports, sorted by name; [] where it has no such tables.

    Up to 7.0 a section of its own holds what is for GPL only, from 7.1 a byte of `__kflagstab` tells it.
    An entry of `__ksymtab` is three u32 distances to value, name and namespace where the machine has
    CONFIG_HAVE_ARCH_PREL32_RELOCATIONS, else three pointers.  Raises `BadInputError` for a damaged file.
    """
    elf = parse_elf(vmlinux, name=name)
    memory = Memory(elf)
    rows: list[ExportRow] = []
    for suffix, gpl in (("", False), ("_gpl", True)):
        section = elf.find_section(f"__ksymtab{suffix}")
        if section is None or not section.size:
            continue
        entries = _entries(memory, section, elf.read_named(section.name) or b"")
        crcs = _numbers(elf, f"__kcrctab{suffix}", "I", len(entries))
        flags = _numbers(elf, "__kflagstab", "B", len(entries)) if not gpl else []
        for number, (symbol, space) in enumerate(entries):
            only = gpl or bool(flags and flags[number] & 1)
            rows.append(ExportRow(symbol, VMLINUX, crcs[number] if crcs else 0, only, space))
    return sorted(rows)


def _numbers(elf: Elf, section: str, form: str, count: int) -> list[int]:
    data = elf.read_named(section)
    size = struct.calcsize(form)
    if data is None or len(data) < count * size:
        return []
    return list(struct.unpack_from(f"{elf.order}{count}{form}", data))


def _entries(memory: Memory, section: Section, data: bytes) -> list[tuple[str, str]]:
    """(name, namespace) of each entry of a table."""
    elf = memory.elf
    if len(data) % 12 == 0:
        found = []
        for start in range(0, len(data), 12):
            _, name, space = struct.unpack_from(elf.order + "3i", data, start)
            at = section.address + start
            text = memory.text(at + 4 + name)
            if not text:
                break
            # A distance of 0 means that it is in no namespace (to 6.12).
            found.append((text, (memory.text(at + 8 + space) or "") if space else ""))
        else:
            return found
    size = elf.header.bits // 8
    form = struct.Struct(elf.order + ("3Q" if size == 8 else "3I"))
    return [
        (memory.text(name) or "", (memory.text(space) or "") if space else "")
        for _, name, space in form.iter_unpack(data[: len(data) // form.size * form.size])
    ]


class Memory:
    """Texts of an image by their address."""

    def __init__(self, elf: Elf) -> None:
        self.elf = elf
        rows = [one for one in elf.sections if one.address and one.size and one.type != SHT_NOBITS]
        self._sections = sorted(rows, key=lambda one: one.name != "__ksymtab_strings")
        self._data: dict[int, bytes] = {}

    def text(self, address: int) -> str | None:
        """The C string at an address; None where there is none."""
        for section in self._sections:
            offset = address - section.address
            if 0 <= offset < section.size:
                if section.index not in self._data:
                    self._data[section.index] = self.elf.read_section(section)
                data = self._data[section.index]
                end = data.find(b"\0", offset, offset + 4096)
                return data[offset:end].decode("utf-8", "replace") if end >= 0 else None
        return None
