# SPDX-License-Identifier: MIT
"""Defaults, permissions and bounds of parameters, out of files made to order in every ELF form."""

import struct

import pytest
from elf_builder import Name, Piece, build_module

from lkm.elf import parse_elf
from lkm.errors import BadInputError
from lkm.module.parameters import read_parameters

FORMS = [(bits, little, rela) for bits in (32, 64) for little in (True, False) for rela in (True, False)]


def module_with_parameters(bits: int, little: bool, rela: bool) -> bytes:
    """As the compiler lays it out: an int, a charp, a bool, an array, a string, one with own functions."""
    order, word = "<" if little else ">", "Q" if bits == 64 else "I"
    size = bits // 8
    names = [
        Name("param_ops_int"), Name("param_ops_charp"), Name("param_ops_bool"), Name("param_array_ops"),
        Name("param_ops_string"), Name(".data", ".data", type=3, binding=0),
        Name(".rodata", ".rodata", type=3, binding=0), Name("param_get_int"),
        Name("own_ops", ".rodata.ops", binding=0), Name("own_set", ".rodata", binding=0),
    ]  # fmt: skip
    index = {name.name: number for number, name in enumerate(names, 1)}
    texts = b"day\0month\0on\0numbers\0text\0January\0own\0"
    text_at = {
        word: texts.index(word.encode() + b"\0") for word in ("day", "month", "on", "numbers", "text", "own")
    }
    # .data: int day, charp month at 8, bool at 16, int[4] at 20, count at 36, char text[16] at 40
    array_at, string_at = 56, 96
    data = bytearray(128)
    struct.pack_into(order + "i", data, 0, 7)
    data[16] = 1
    struct.pack_into(order + "4i", data, 20, 1, 2, 3, 4)
    struct.pack_into(order + "I", data, 36, 2)
    data[40:45] = b"hello"
    struct.pack_into(order + "II", data, array_at, 4, 4)
    struct.pack_into(order + "I", data, string_at, 16)

    def put(buffer: bytearray, at: int, addend: int) -> None:
        if not rela:  # REL: the addend lies in place
            struct.pack_into(order + word, buffer, at, addend)

    links = []

    def data_pointer(at: int, symbol: str, addend: int) -> None:
        links.append((at, 1, index[symbol], addend))
        put(data, at, addend)

    data_pointer(8, ".rodata", texts.index(b"January"))
    data_pointer(array_at + 8, ".data", 36)
    data_pointer(array_at + 8 + size, "param_ops_int", 0)
    data_pointer(array_at + 8 + 2 * size, ".data", 20)
    data_pointer(string_at + size, ".data", 40)
    row = 40 if bits == 64 else 20
    rows = [
        ("day", "param_ops_int", 0o644, 0, 0),
        ("month", "param_ops_charp", 0o660, 8, 0),
        ("on", "param_ops_bool", 0, 16, 1),
        ("numbers", "param_array_ops", 0o444, array_at, 0),
        ("text", "param_ops_string", 0o400, string_at, 0),
        ("own", "own_ops", 0o200, 0, 2),
    ]
    table, table_links = bytearray(row * len(rows)), []
    for number, (name, ops, mode, argument, flags) in enumerate(rows):
        base = number * row
        struct.pack_into(order + "HbB", table, base + 3 * size, mode, -1, flags)
        for at, symbol, addend in (
            (0, ".rodata", text_at[name]),
            (2 * size, ops, 0),
            (row - size, ".data", argument),
        ):
            table_links.append((base + at, 1, index[symbol], addend))
            put(table, base + at, addend)
    ops_links = [(size, 1, index["own_set"], 0), (2 * size, 1, index["param_get_int"], 0)]
    return build_module(
        information=[
            "parmtype=day:int",
            "parm=day:The day",
            "parmtype=month:charp",
            "parmtype=numbers:array of int",
        ],
        pieces=[
            Piece("__param", bytes(table), relocations=table_links),
            Piece(".data", bytes(data), flags=3, relocations=links),
            Piece(".rodata", texts),
            Piece(".rodata.ops", bytes(4 * size), relocations=ops_links),
        ],
        names=names,
        bits=bits,
        little=little,
        rela=rela,
    )


@pytest.mark.parametrize(("bits", "little", "rela"), FORMS)
def test_defaults_bounds_and_permissions(bits: int, little: bool, rela: bool) -> None:
    elf = parse_elf(module_with_parameters(bits, little, rela), name="x.ko")
    information = (("parmtype", "day:int"), ("parm", "day:The day"), ("parmtype", "month:charp"),
                   ("parmtype", "numbers:array of int"))  # fmt: skip
    found = {one.name: one for one in read_parameters(elf, information)}
    assert list(found) == ["day", "month", "numbers", "on", "text", "own"]
    day, month, numbers, on, text, own = found.values()
    assert (day.type, day.description, day.permission, day.default, day.shown) == (
        "int",
        "The day",
        0o644,
        7,
        "7",
    )
    assert (month.default, month.kind, month.permission) == ("January", "charp", 0o660)
    assert (numbers.default, numbers.count, numbers.element) == ((1, 2, 3, 4), 4, "int")
    assert numbers.shown == "1,2"  # sysfs shows as many as were given
    assert (on.type, on.default, on.shown, on.permission, on.unsafe) == ("bool", True, "Y", 0, True)
    assert (text.default, text.length) == ("hello", 16)
    # Set by a function of its own, shown by param_get_int: kept as an int.
    assert (own.kind, own.type, own.default, own.hardware) == ("", "int", 7, True)


@pytest.mark.parametrize(("bits", "little", "rela"), FORMS)
def test_hundreds_of_parameters(bits: int, little: bool, rela: bool) -> None:
    order, size, row, many = "<" if little else ">", bits // 8, 40 if bits == 64 else 20, 500
    table, links = bytearray(row * many), []
    for number in range(many):
        for at, symbol, addend in ((0, 1, 8 * number), (2 * size, 2, 0), (row - size, 3, 4 * number)):
            links.append((row * number + at, 1, symbol, addend))
            if not rela:
                struct.pack_into(order + ("Q" if bits == 64 else "I"), table, row * number + at, addend)
    data = build_module(
        pieces=[
            Piece("__param", bytes(table), relocations=links),
            Piece(".rodata", b"".join((b"p%d" % number).ljust(8, b"\0") for number in range(many))),
            Piece(".data", struct.pack(f"{order}{many}i", *range(many)), flags=3),
        ],
        names=[
            Name("texts", ".rodata", binding=0), Name("param_ops_int"), Name("numbers", ".data", binding=0)
        ],
        bits=bits, little=little, rela=rela,
    )  # fmt: skip
    found = read_parameters(parse_elf(data), ())
    assert [(one.name, one.default) for one in found] == [(f"p{number}", number) for number in range(many)]


def test_what_cannot_be_known_is_said_to_be_unknown() -> None:
    data = build_module(
        information=["parmtype=far:int"],
        pieces=[
            Piece("__param", bytes(40), relocations=[(0, 1, 1, 0), (16, 1, 2, 0), (32, 1, 3, 0)]),
            Piece(".rodata", b"far\0"),
        ],
        names=[Name("text", ".rodata", binding=0), Name("param_ops_int"), Name("elsewhere")],
    )
    (found,) = read_parameters(parse_elf(data), (("parmtype", "far:int"),))
    assert (found.known, found.default, found.kind, found.permission) == (False, None, "int", 0)


def test_any_byte_changed_gives_parameters_or_a_clear_error() -> None:
    data = module_with_parameters(64, True, True)
    for at in range(0, len(data), 3):
        try:
            read_parameters(parse_elf(data[:at] + b"\xff" + data[at + 1 :], name="bad.ko"), ())
        except BadInputError as error:
            assert "bad.ko" in error.message
