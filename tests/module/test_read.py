# SPDX-License-Identifier: MIT
"""A module's parts, on files made to order in every ELF form."""

import struct

import pytest
from elf_builder import Name, Piece, build_elf, build_module

from lkm.errors import BadInputError
from lkm.module import Export, Import, Parameter, read_module

FORMS = [(bits, little) for bits in (32, 64) for little in (True, False)]


def write(tmp_path, data: bytes, name: str = "sample.ko"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("bits", "little"), FORMS)
def test_reads_what_a_module_says(tmp_path, bits: int, little: bool) -> None:
    long_size = bits // 8
    version = (0x12345678).to_bytes(long_size, "little" if little else "big") + b"printk".ljust(
        64 - long_size, b"\0"
    )
    data = build_module(
        "snd_hda",
        information=[
            "license=Dual MIT/GPL", "depends=snd-pcm,snd", "vermagic=6.1 SMP ", "alias=a", "alias=b",
            "softdep=pre: crc-x y post: z", "parm=day:The day", "parmtype=day:int", "parmtype=month:charp",
        ],
        pieces=[
            Piece("__versions", version),
            Piece("__ksymtab_gpl+offered", bytes(12)),
            Piece("__ksymtab_strings", b"offered\0USB\0"),
            Piece("__kcrctab", struct.pack("<I" if little else ">I", 0xDEADBEEF)),
        ],
        names=[
            Name("printk"), Name("maybe", binding=2), Name("__ksymtab_offered", "__ksymtab_gpl+offered"),
            Name("__kstrtabns_offered", "__ksymtab_strings", 8), Name("__crc_offered", "__kcrctab"),
        ],
        bits=bits,
        little=little,
    )  # fmt: skip
    module = read_module(write(tmp_path, data))
    assert module.name == "snd_hda"
    assert module.licence == "Dual MIT/GPL"
    assert module.depends == ("snd_pcm", "snd")
    assert module.vermagic == "6.1 SMP "
    assert module.values("alias") == ("a", "b")
    assert module.softdeps == (("crc_x", "y"), ("z",))
    assert module.parameters == (Parameter("day", "int", "The day"), Parameter("month", "charp", ""))
    assert module.imports == (Import("printk", False, 0x12345678), Import("maybe", True, None))
    assert module.exports == (Export("offered", True, "USB", 0xDEADBEEF),)


def test_an_object_file_is_told_from_a_module(tmp_path) -> None:
    path = write(tmp_path, build_elf([Piece(".text", b"\x90")]), "main.o")
    with pytest.raises(BadInputError, match="an object file but not a kernel module"):
        read_module(path)
    path = write(tmp_path, build_elf([Piece(".text", b"\x90")], kind=2), "a.out")
    with pytest.raises(BadInputError, match="executable"):
        read_module(path)
    path = write(tmp_path, b"int main;", "main.c")
    with pytest.raises(BadInputError, match="not an ELF file"):
        read_module(path)


def test_truncated_modules_are_errors(tmp_path) -> None:
    data = build_module(names=[Name("printk")])
    for size in range(0, len(data), 7):
        path = write(tmp_path, data[:size])
        with pytest.raises(BadInputError, match=r"sample\.ko"):
            module = read_module(path)
            assert module.imports == module.parameters
