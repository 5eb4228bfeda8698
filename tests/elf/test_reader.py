# SPDX-License-Identifier: MIT
"""The ELF reader: all classes and byte orders, and files that are cut off or lie."""

import os

import pytest
from elf_builder import Name, Piece, build_elf

from lkm.elf import FileSource, parse_elf
from lkm.errors import BadInputError

FORMS = [(bits, little) for bits in (32, 64) for little in (True, False)]


@pytest.mark.parametrize(("bits", "little"), FORMS)
@pytest.mark.parametrize("rela", [True, False])
def test_reads_sections_symbols_and_relocations_of_every_form(bits: int, little: bool, rela: bool) -> None:
    relocation = (4, 7, 2, -3 if rela else 0)
    data = build_elf(
        [Piece(".text", b"\x90" * 12, flags=6, relocations=[relocation]), Piece(".bss", zeros=40)],
        [Name("begin", ".text", 4, 8, type=2), Name("printk"), Name("maybe", binding=2)],
        bits=bits,
        little=little,
        rela=rela,
    )
    elf = parse_elf(data, name="x.o")
    assert (elf.header.bits, elf.header.little, elf.header.type) == (bits, little, 1)
    text = elf.find_section(".text")
    assert text is not None
    assert elf.read_section(text) == b"\x90" * 12
    bss = elf.find_section(".bss")
    assert bss is not None and elf.read_section(bss) == bytes(40)
    with pytest.raises(BadInputError, match="40 bytes and has none in the file"):
        elf.read_named(".bss")
    assert elf.read_named(".absent") is None
    begin, printk, maybe = elf.symbols[1:]
    assert (begin.name, begin.section, begin.value, begin.size, begin.type) == ("begin", 1, 4, 8, 2)
    assert printk.undefined and not begin.undefined
    assert maybe.binding == 2
    (found,) = elf.relocations(text)
    assert (found.offset, found.type, found.symbol) == (4, 7, 2)
    assert found.addend == (-3 if rela else None)


@pytest.mark.parametrize(
    ("machine", "bits", "little", "arch"),
    [(62, 64, True, "x86_64"), (183, 64, True, "aarch64"), (243, 64, True, "riscv64"), (3, 32, True, "i686"),
     (22, 64, False, "s390x"), (21, 64, True, "ppc64le"), (21, 64, False, "ppc64"),
     (999, 64, True, "machine-999")],
)  # fmt: skip
def test_machine_is_named_as_uname_does(machine: int, bits: int, little: bool, arch: str) -> None:
    assert parse_elf(build_elf([], machine=machine, bits=bits, little=little)).header.arch == arch


def test_mips64_little_endian_splits_r_info() -> None:
    # r_sym 2, then r_ssym 0, r_type3 0, r_type2 0, r_type 18, in file order.
    info = 2 | 18 << 56
    data = build_elf([Piece(".text", bytes(8)), Piece(".rela.text", (8).to_bytes(8, "little")
                      + info.to_bytes(8, "little") + bytes(8), type=4)], machine=8)  # fmt: skip
    elf = parse_elf(data)
    section = elf.find_section(".rela.text")
    assert section is not None
    (found,) = elf.read_relocations(section)
    assert (found.symbol, found.type) == (2, 18)


def test_reads_from_a_descriptor_and_closes_it(tmp_path) -> None:
    path = tmp_path / "x.o"
    path.write_bytes(build_elf([Piece(".text", b"abc")]))
    fd = os.open(path, os.O_RDONLY)
    elf = parse_elf(fd, name=str(path))
    assert elf.read_named(".text") == b"abc"
    assert isinstance(elf.source, FileSource)
    elf.source.close()
    with pytest.raises(OSError):
        os.fstat(fd)


@pytest.mark.parametrize(("data", "says"), [
    (b"", "it is empty"),
    (b"\x7fEL", "not an ELF"),
    (b"#!/bin/sh\n", "starts with 23 21"),
    (b"\x7fELF" + bytes(20), "52 bytes"),
    (b"\x7fELF\x03\x01" + bytes(60), "class 3"),
])  # fmt: skip
def test_what_is_no_elf_is_refused_with_the_reason(data: bytes, says: str) -> None:
    with pytest.raises(BadInputError) as caught:
        parse_elf(data, name="some.ko")
    assert "some.ko" in str(caught.value) and says in str(caught.value)


def read_all(data: bytes) -> None:
    elf = parse_elf(data, name="bad.ko")
    for section in elf.sections:
        elf.read_section(section)
        elf.relocations(section)
    assert elf.symbols is not None


def test_every_truncation_is_an_error_that_names_the_file() -> None:
    data = build_elf(
        [Piece(".text", bytes(30), relocations=[(0, 1, 1, 0)])], [Name("a", ".text"), Name("b")], bits=32
    )
    read_all(data)
    for size in range(len(data)):
        with pytest.raises(BadInputError, match=r"bad\.ko"):
            read_all(data[:size])


def test_every_single_byte_set_to_ff_is_an_error_or_harmless() -> None:
    for bits in (32, 64):
        data = build_elf(
            [Piece(".text", bytes(8), relocations=[(0, 1, 1, 0)])], [Name("a", ".text")], bits=bits
        )
        for at in range(len(data)):
            changed = data[:at] + b"\xff" + data[at + 1 :]
            try:
                read_all(changed)
            except BadInputError as error:
                assert "bad.ko" in error.message


def test_zeros_are_not_made_up_without_bound() -> None:
    elf = parse_elf(build_elf([Piece(".bss", zeros=1 << 40)]), name="bad.ko")
    with pytest.raises(BadInputError, match="claims"):
        elf.read_named(".bss")


def test_symbols_by_name_with_names_that_lie_in_longer_ones() -> None:
    names = [
        Name("my_init", ".text", 1),
        Name("init", ".text", 2),
        Name("init", None),
        Name("initial", ".text"),
    ]
    elf = parse_elf(build_elf([Piece(".text", bytes(9))], names))
    assert [(one.index, one.value) for one in elf.symbols_named("init")] == [(2, 2), (3, 0)]
    assert elf.symbols_named("nit") == [] and elf.symbols_named("none") == []
