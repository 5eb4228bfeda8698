# SPDX-License-Identifier: MIT
"""The cases of the oracle: modules of every kind, as they were built and altered byte by byte."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from elf_editor import MARKER, Editor, sign, unsigned

from lkm.module import read_module_bytes
from lkm.verdict import Ground

_SHN_COMMON = 0xFFF2


@dataclass(frozen=True)
class OracleCase:
    """A module to be checked and loaded.

    `before`: names of built modules to load first.  `cmdline`: what the guest has to be booted with.
    `rough`: it may leave a kernel that is not to be trusted, so the guest is not used again.
    `own`: its init may refuse for reasons of its own.
    """

    name: str
    data: bytes
    parameters: tuple[str, ...] = ()
    before: tuple[bytes, ...] = ()
    cmdline: str = ""
    rough: bool = False
    own: bool = False


Alteration = Callable[[Editor], Editor]


def make_cases(ground: Ground, built: dict[str, bytes], *, seed: int = 4) -> list[OracleCase]:
    """All cases for one kernel, the same ones each time."""
    chance = random.Random(seed)
    cases = [OracleCase(name, data, own=name == "o_fails") for name, data in built.items()]
    cases += _parameter_cases(built)
    cases += _neighbour_cases(built)
    cases += _altered_cases(ground, built)
    cases += _signature_cases(ground, built, chance)
    cases += _cmdline_cases(ground, built)
    cases += _real_cases(ground, chance)
    cases += _fuzz_cases(ground, built, chance)
    return cases


_VALUES = {
    "number": ("5", "-5", "0x10", "010", "+7", "", "abc", "5x", "2147483648", "-2147483649", "9" * 20,
               "1 "),
    "small": ("255", "256", "-1", "0xff"),
    "half": ("32767", "32768", "-32768"),
    "count": ("4294967295", "4294967296", "-1"),
    "wide": ("9223372036854775807", "9223372036854775808"),
    "mask": ("18446744073709551615", "18446744073709551616", "-1"),
    "huge": ("0xffffffffffffffff", "x"),
    "on": ("Y", "n", "on", "off", "1", "0", "2", "maybe", "true", "enable", "d", "o"),
    "inverted": ("Y", "q"),
    "text": ("hello", '"two words"', "x" * 1024, "x" * 1025, ""),
    "word": ("1234567", "12345678", ""),
    "list": ("1,2,3", "1,2,3,4", "1,x", "7", ",", "1,2,"),
    "risky": ("1", "z"),
    "own": ("good", "xbad"),
    "nothing": ("1",),
    "Number": ("1",),
    "dyndbg": ("+p",),
    "async_probe": ("1",),
    "num-ber": ("1",),
}  # fmt: skip


def _parameter_cases(built: dict[str, bytes]) -> Iterator[OracleCase]:
    data = built["o_params"]
    for name, values in _VALUES.items():
        for value in values:
            yield OracleCase(f"parameter {name}={value[:24]}", data, (f"{name}={value}",))
    for words in (("number",), ("on",), ("text",), ("number=x", "small=256"), ("small=256", "number=x"),
                  ("number=1", "--", "number=x"), ("list=1,2,3", "on", "risky=3"), ("inverted",),
                  ("nothing",)):  # fmt: skip
        yield OracleCase("parameters " + " ".join(words), data, words)


def _neighbour_cases(built: dict[str, bytes]) -> Iterator[OracleCase]:
    exporter = built["o_export"]
    closed = Editor(exporter).set_information("license", "XXX").bytes()
    without = Editor(exporter).set_name("o_copy").bytes()
    for name in ("o_user", "o_free_user", "o_both_user"):
        yield OracleCase(f"{name} after o_export", built[name], before=(exporter,))
        yield OracleCase(f"{name} after a proprietary o_export", built[name], before=(closed,))
        own = Editor(built[name]).set_information("license", "Proprietary").bytes()
        yield OracleCase(f"proprietary {name} after o_export", own, before=(exporter,))
        yield OracleCase(f"proprietary {name} after a proprietary o_export", own, before=(closed,))
    gpl_first = _put_last(Editor(built["o_both_user"]), "o_free").bytes()
    yield OracleCase("GPL-only symbols, then a proprietary module's", gpl_first, before=(closed,))
    yield OracleCase("same name", exporter, before=(exporter,))
    yield OracleCase("same exports", without, before=(exporter,))
    yield OracleCase("o_space after o_spacer", built["o_space"], before=(built["o_spacer"],))
    lacking = Editor(built["o_space"]).set_information("import_ns", None).bytes()
    yield OracleCase("o_space without importing", lacking, before=(built["o_spacer"],))
    other = Editor(built["o_space"]).set_information("import_ns", "O_OTHER").bytes()
    yield OracleCase("o_space importing another", other, before=(built["o_spacer"],))
    two = Editor(other).add_information("import_ns=O_SPACE").bytes()
    yield OracleCase("o_space importing two", two, before=(built["o_spacer"],))


def _put_last(editor: Editor, name: str) -> Editor:
    """Has an undefined symbol and the last one change places in the table."""
    rows = [(index, text, row) for index, text, row in editor.symbols() if index and row[3] == 0]
    index, _, row = next(one for one in rows if one[1] == name)
    last, _, other = rows[-1]
    return editor.set_symbol(index, other).set_symbol(last, row)


def _altered_cases(ground: Ground, built: dict[str, bytes]) -> Iterator[OracleCase]:
    bases = ("o_plain", "o_gpl", "o_params", "o_export", "o_percpu", "o_pointer")
    for base in bases:
        for title, rough, alter in alterations(ground):
            try:
                data = alter(Editor(built[base])).bytes()
            except LookupError:
                continue
            # Without what it calls, or called, its init ends in an oops: it was loaded up to there.
            yield OracleCase(f"{base}: {title}", data, rough=rough, own=title in _RUNS_INTO)
    for size in (1, 27, 28, 40, 52, 63, 64, 65, 100, 500, 1000):
        yield OracleCase(f"cut to {size} bytes", built["o_plain"][:size])
    whole = built["o_gpl"]
    for part in range(1, 12):
        yield OracleCase(f"cut to {part}/12", whole[: len(whole) * part // 12])
    yield OracleCase("text", b"not a module at all\n" * 40)
    yield OracleCase("zeros", bytes(4096))


def alterations(ground: Ground) -> Iterator[tuple[str, bool, Alteration]]:
    """(what it is called, whether it is rough, what is done)."""
    yield from _header_alterations()
    yield from _section_alterations()
    yield from _information_alterations(ground)
    yield from _symbol_alterations(ground)
    yield from _relocation_alterations()
    yield from _table_alterations(ground)


def _set_header(field: str, value: int) -> Alteration:
    def alter(editor: Editor) -> Editor:
        editor.header(field, value)
        return editor

    return alter


def _header_alterations() -> Iterator[tuple[str, bool, Alteration]]:
    for field, values in {
        "type": (0, 2, 3), "machine": (0, 3, 40, 183, 243), "version": (0, 9),
        "shentsize": (0, 40, 63, 65), "shnum": (0, 1, 3, 60000), "shoff": (0, 1 << 40, 64),
        "shstrndx": (0, 1, 0xFFFF),
    }.items():  # fmt: skip
        for value in values:
            # Section table elsewhere: what is read as one decides.
            yield f"header {field}={value}", field in ("shoff", "shnum"), _set_header(field, value)

    def magic(editor: Editor) -> Editor:
        editor.data[1] = 0x46
        return editor

    def narrow(editor: Editor) -> Editor:
        editor.data[4] = 1
        return editor

    yield "magic", False, magic
    yield "class 32", False, narrow


def _at(name: str, change: Callable[[Editor, int], Editor]) -> Alteration:
    return lambda editor: change(editor, editor.find(name))


def _section_alterations() -> Iterator[tuple[str, bool, Alteration]]:
    yield "section 0 has a size", False, lambda editor: editor.set_row(0, size=8)
    yield "section 0 has a type", False, lambda editor: editor.set_row(0, type=1)
    for name in (
        ".text",
        ".modinfo",
        ".strtab",
        ".symtab",
        ".shstrtab",
        ".gnu.linkonce.this_module",
        ".init.text",
    ):
        yield f"{name} beyond the end", False, _at(name, lambda e, at: e.set_row(at, offset=1 << 30))
        yield f"{name} too long", False, _at(name, lambda e, at: e.set_row(at, size=1 << 33))
        yield (
            f"{name} overflows",
            False,
            _at(name, lambda e, at: e.set_row(at, offset=(1 << 64) - 8, size=64)),
        )
    names = ".shstrtab"
    yield "names empty", False, _at(names, lambda e, at: e.set_row(at, size=0))
    yield "names do not end", False, _at(names, lambda e, at: e.set_row(at, size=e.row(at)["size"] - 3))
    yield "names of another type", False, _at(names, lambda e, at: e.set_row(at, type=1))
    yield "names without bytes", True, _at(names, lambda e, at: e.set_row(at, type=8, offset=1 << 30))
    yield "a name out of bounds", True, _at(".text", lambda e, at: e.set_row(at, name=1 << 20))
    yield (
        "an unloaded section's name out of bounds",
        True,
        _at(".comment", lambda e, at: e.set_row(at, name=1 << 20)),
    )
    this = ".gnu.linkonce.this_module"
    yield "no struct module", False, _at(this, lambda e, at: e.rename_section(at, ".other"))
    yield "struct module not loaded", False, _at(this, lambda e, at: e.set_row(at, flags=1))
    yield "struct module without bytes", True, _at(this, lambda e, at: e.set_row(at, type=8))
    yield "struct module smaller", True, _at(this, lambda e, at: e.set_row(at, size=e.row(at)["size"] - 64))
    yield (
        "struct module bigger",
        True,
        _at(this, lambda e, at: e.set_contents(at, e.contents(at) + bytes(64))),
    )
    yield "two struct modules", False, lambda e: e.add_section(this, bytes(64))
    yield "two .modinfo", False, lambda e: e.add_section(".modinfo", b"other=1\0")
    yield "no .modinfo", False, _at(".modinfo", lambda e, at: e.rename_section(at, ".madinfo"))
    yield ".modinfo not loaded", False, _at(".modinfo", lambda e, at: e.set_row(at, flags=0))
    yield "no symbol table", False, lambda e: e.set_row(e.symbol_table(), type=1)
    yield "two symbol tables", True, lambda e: e.add_section(".symtab2", bytes(24), type=2, link=1, flags=0)
    for link in (0, 0xFFFF):
        yield f"symbols linked to {link}", False, lambda e, link=link: e.set_row(e.symbol_table(), link=link)
    yield "strings of another type", True, lambda e: e.set_row(e.row(e.symbol_table())["link"], type=1)
    yield "strings empty", True, lambda e: e.set_row(e.row(e.symbol_table())["link"], size=0)
    yield "strings do not begin", True, _strings(lambda data: b"x" + data[1:])
    yield "strings do not end", True, _strings(lambda data: data + b"x")
    yield "write and execute", False, _at(".text", lambda e, at: e.set_row(at, flags=7))
    yield "data to execute", False, _at(this, lambda e, at: e.set_row(at, flags=7))
    yield "a huge section", False, lambda e: e.add_section(".bss2", b"", type=8, flags=3, size=3 << 30)
    yield "a big section", True, lambda e: e.add_section(".bss2", b"", type=8, flags=3, size=1 << 29)
    yield "a small new section", False, lambda e: e.add_section(".o_more", bytes(64), flags=3)
    yield "no text", True, _at(".text", lambda e, at: e.set_row(at, flags=0))


def _strings(change: Callable[[bytes], bytes]) -> Alteration:
    def alter(editor: Editor) -> Editor:
        at = editor.row(editor.symbol_table())["link"]
        return editor.set_contents(at, change(editor.contents(at)))

    return alter


def _information_alterations(ground: Ground) -> Iterator[tuple[str, bool, Alteration]]:
    magic = ground.vermagic or ""
    release, _, flags = magic.partition(" ")
    for value in ("1.2.3 " + flags, release + " UP", release, flags, magic + "x", magic.strip(),
                  magic.replace("preempt ", ""), magic + "modversions ", "", " " + flags):  # fmt: skip
        yield f"vermagic '{value}'", False, lambda e, value=value: e.set_information("vermagic", value)
    yield "no vermagic", False, lambda e: e.set_information("vermagic", None)
    yield "two vermagics", False, lambda e: e.add_information("vermagic=bad")
    for licence in ("GPL v2", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL", "GPL and additional rights",
                    "BSD", "MIT",
                    "gpl", "GPL ", "Proprietary", "", "GPLv2"):  # fmt: skip
        yield f"licence '{licence}'", False, lambda e, one=licence: e.set_information("license", one)
    yield "no licence", False, lambda e: e.set_information("license", None)
    yield "livepatch", False, lambda e: e.add_information("livepatch=Y")
    yield "staging", False, lambda e: e.add_information("staging=Y")
    yield "in tree", False, lambda e: e.add_information("intree=Y")
    yield "retpoline out", False, lambda e: e.set_information("retpoline", None)
    yield "imports a module's namespace", False, lambda e: e.add_information("import_ns=module:other")
    for name in (
        "printk",
        "kernel",
        "loop",
        "o_very_long_name_" + "x" * 38,
        "driverloader",
        "lve",
        "ndiswrapper",
        "xhci_hcd",
    ):
        yield f"named {name}", False, lambda e, name=name: e.set_name(name)
    yield "name in .modinfo only", False, lambda e: e.set_information("name", "another")
    yield "information without a value", False, lambda e: e.add_information("alone")


def _symbol_alterations(ground: Ground) -> Iterator[tuple[str, bool, Alteration]]:
    names = {
        "to nothing": "o_not_anywhere",
        "to what is not exported": "do_exit_group_not",
        "to a nearly right name": "_printkk",
        "to one of another module": "crc7_be",
        "to a name without letters": "",
        "to a long name": "o_" + "long" * 30,
    }
    for title, new in names.items():
        yield f"a symbol {title}", False, lambda e, new=new: _rename_first(e, new, versions=False)
        yield f"a symbol and its CRC {title}", False, lambda e, new=new: _rename_first(e, new, versions=True)
    gpl = next(
        (name for name, one in (ground.exports or {}).items() if one.gpl_only and not one.namespace), ""
    )
    plain = "jiffies"
    spaced = next((name for name, one in (ground.exports or {}).items() if one.namespace), "")
    for title, new in (("GPL-only", gpl), ("plain", plain), ("in a namespace", spaced)):
        yield f"one more symbol, {title}", False, lambda e, new=new: _one_more(ground, e, new)
        yield (
            f"one more symbol, {title}, proprietary",
            False,
            lambda e, new=new: _one_more(ground, e.set_information("license", "XXX"), new),
        )
        yield f"one more symbol, {title}, without a CRC", False, lambda e, new=new: _one_more(None, e, new)
    yield "a weak symbol", False, lambda e: _bind_first(e, 2)
    yield "a common symbol", False, lambda e: _place_local(e, _SHN_COMMON)
    yield "a symbol in section 200", True, lambda e: _place_local(e, 200)
    yield "a symbol in a reserved section", True, lambda e: _place_local(e, 0xFF30)
    yield "a symbol's name out of bounds", True, lambda e: _name_last(e, 1 << 24)
    yield "local names for all", False, lambda e: e.rename_symbol("cleanup_module", "o_leave")


def _first(editor: Editor) -> str:
    return next(iter(name for name in editor.undefined() if not name.startswith("__x86")))


def _rename_first(editor: Editor, new: str, *, versions: bool) -> Editor:
    try:
        old = _first(editor)
    except StopIteration:
        raise LookupError from None
    if versions:
        editor.change_versions(lambda name, crc: (new[:55] if name == old else name, crc))
    return editor.rename_symbol(old, new)


def _one_more(ground: Ground | None, editor: Editor, name: str) -> Editor:
    """One more undefined symbol, in the place of the row that names the source file."""
    for index, _, row in editor.symbols():
        if row[1] & 15 == 4:  # STT_FILE
            editor.set_symbol(index, (row[0], 0x10, 0, 0, 0, 0))
            table = editor.row(editor.symbol_table())["link"]
            strings = editor.contents(table)
            editor.set_contents(table, strings + name.encode() + b"\0")
            editor.set_symbol(index, (len(strings), 0x10, 0, 0, 0, 0))
            break
    else:
        raise LookupError
    if ground is not None and ground.exports and editor.has("__versions") and name in ground.exports:
        at = editor.find("__versions")
        crc = ground.exports[name].crc or 0
        row = crc.to_bytes(8, "little") + name.encode().ljust(56, b"\0")
        editor.set_contents(at, editor.contents(at) + row)
    return editor


def _bind_first(editor: Editor, binding: int) -> Editor:
    editor = _rename_first(editor, "o_not_anywhere", versions=False)
    for index, name, row in editor.symbols():
        if name == "o_not_anywhere":
            editor.set_symbol(index, (row[0], binding << 4, *row[2:]))
    return editor


def _place_local(editor: Editor, place: int) -> Editor:
    for index, _, row in editor.symbols():
        if row[1] & 15 == 4:
            return editor.set_symbol(index, (row[0], 0, 0, place, 0, 0))
    raise LookupError


def _name_last(editor: Editor, at: int) -> Editor:
    index, _, row = editor.symbols()[-1]
    return editor.set_symbol(index, (at, *row[1:]))


def _relocation_alterations() -> Iterator[tuple[str, bool, Alteration]]:
    table = ".rela.gnu.linkonce.this_module"
    for kind in (0, 3, 5, 8, 9, 12, 37, 255, 1 << 20):
        yield (
            f"relocation of type {kind}",
            kind == 0,
            lambda e, kind=kind: e.relocation(
                table, 0, lambda offset, info, addend: (offset, info >> 32 << 32 | kind, addend)
            ),
        )
    yield (
        "absolute 32 bits",
        False,
        lambda e: e.relocation(
            table, 0, lambda offset, info, addend: (offset, info >> 32 << 32 | 10, addend)
        ),
    )
    yield (
        "signed 32 bits",
        True,
        lambda e: e.relocation(
            table, 0, lambda offset, info, addend: (offset, info >> 32 << 32 | 11, addend)
        ),
    )
    yield (
        "relocation into the name",
        False,
        lambda e: e.relocation(table, 0, lambda offset, info, addend: (24, info, addend)),
    )
    yield "relocation twice", False, lambda e: _twice(e, table)
    yield "relocation of no section", True, lambda e: e.set_row(e.find(table), info=0xFFFF)
    yield "REL in place of RELA", False, lambda e: e.set_row(e.find(table), type=9)
    yield "something where init goes", False, lambda e: _fill(e, table)


def _twice(editor: Editor, table: str) -> Editor:
    at = editor.find(table)
    return editor.set_contents(at, editor.contents(at) + editor.contents(at)[:24])


def _fill(editor: Editor, table: str) -> Editor:
    (offset,) = struct.unpack_from("<Q", editor.contents(editor.find(table)))
    return editor.poke(table.removeprefix(".rela"), offset, b"\1")


def _table_alterations(ground: Ground) -> Iterator[tuple[str, bool, Alteration]]:
    def all_crcs(name: str, crc: int) -> tuple[str, int]:
        return name, crc ^ 0x5A5A

    yield (
        "CRC of module_layout",
        False,
        lambda e: e.change_versions(
            lambda name, crc: (name, crc ^ 1) if name == "module_layout" else (name, crc)
        ),
    )
    yield (
        "no CRC of module_layout",
        False,
        lambda e: e.change_versions(lambda name, crc: None if name == "module_layout" else (name, crc)),
    )
    yield (
        "CRC of all but module_layout",
        False,
        lambda e: e.change_versions(
            lambda name, crc: (name, crc) if name == "module_layout" else all_crcs(name, crc)
        ),
    )
    yield (
        "no CRC of the others",
        False,
        lambda e: e.change_versions(lambda name, crc: (name, crc) if name == "module_layout" else None),
    )
    yield "all CRCs", False, lambda e: e.change_versions(all_crcs)
    yield "no __versions", False, _at("__versions", lambda e, at: e.rename_section(at, "__vorsions"))
    yield (
        "no __versions, another release",
        False,
        lambda e: e.set_information(
            "vermagic", "1.2.3 " + (ground.vermagic or "").partition(" ")[2]
        ).rename_section(e.find("__versions"), "__vorsions"),
    )
    for size in (64, 4096, 8192, 8193, 12000, 40000):
        yield f"{size} bytes per CPU", False, lambda e, size=size: _per_cpu(e, size)
    yield (
        "both kinds of constructors",
        False,
        lambda e: e.add_section(".ctors", bytes(0)).add_section(".init_array", bytes(0)),
    )
    yield "extended CRCs without names", False, lambda e: e.add_section("__version_ext_crcs", bytes(4))
    yield (
        "extended names too few",
        False,
        lambda e: e.add_section("__version_ext_crcs", bytes(8)).add_section("__version_ext_names", b"one\0"),
    )
    yield "no CRCs of exports", False, _at("__kcrctab", lambda e, at: e.rename_section(at, "__kcrctob"))
    yield (
        "no CRCs of GPL exports",
        False,
        _at("__kcrctab_gpl", lambda e, at: e.rename_section(at, "__kcrctob")),
    )
    yield "no flags of exports", False, _at("__kflagstab", lambda e, at: e.rename_section(at, "__kflagstob"))
    yield "an export of the kernel's name", False, lambda e: _rename_export(e, b"jiffies")
    yield "an export of another name", False, lambda e: _rename_export(e, b"o_abcde")
    for title, change in {
        "magic": lambda data: b"\0\0" + data[2:],
        "version": lambda data: data[:2] + b"\2" + data[3:],
        "flags": lambda data: data[:3] + b"\1" + data[4:],
        "header size": lambda data: data[:4] + b"\x40\0\0\0" + data[8:],
        "cut": lambda data: data[: len(data) // 2],
        "a kind": lambda data: data[:24] + b"\0\0\0\0\0\0\0\x1f" + data[32:],
        "names": lambda data: data[:-1] + b"x",
        "nothing": lambda data: b"",
        "four bytes": lambda data: data[:4],
    }.items():
        yield (
            f"types: {title}",
            False,
            _at(".BTF", lambda e, at, change=change: e.set_contents(at, change(e.contents(at)))),
        )


def _per_cpu(editor: Editor, size: int) -> Editor:
    if editor.has(".data..percpu"):
        return editor.set_contents(editor.find(".data..percpu"), bytes(size))
    return editor.add_section(".data..percpu", bytes(size), flags=3, align=8)


def _rename_export(editor: Editor, name: bytes) -> Editor:
    at = editor.find("__ksymtab_strings")
    data = editor.contents(at)
    if b"o_free\0" not in data:
        raise LookupError
    # One letter longer: the text goes to the end, and the symbol with it.
    for index, text, row in editor.symbols():
        if text == "__kstrtab_o_free":
            editor.set_symbol(index, (*row[:4], len(data), row[5]))
    return editor.set_contents(at, data + name + b"\0")


def _signature_cases(ground: Ground, built: dict[str, bytes], chance: random.Random) -> Iterator[OracleCase]:
    plain = built["o_plain"]
    yield OracleCase("signature: marker only", plain + MARKER)
    yield OracleCase("signature: nothing else", MARKER)
    yield OracleCase("signature: marker and a little", b"x" * 5 + MARKER)
    yield OracleCase("signature: too long", sign(plain, b"x" * 64, size=1 << 28))
    yield OracleCase("signature: rubbish", sign(plain, b"rubbish" * 20))
    yield OracleCase("signature: empty", sign(plain, b""))
    yield OracleCase("signature: PGP", sign(plain, b"x" * 64, kind=0))
    yield OracleCase("signature: X509", sign(plain, b"x" * 64, kind=1))
    yield OracleCase("signature: parameters", sign(plain, b"x" * 64, first=b"\1\4"))
    yield OracleCase("signature: of a file without ELF", sign(b"text", b"x" * 64, kind=0))
    for data in list(_real_modules(ground, chance, 6)):
        name, whole = data
        bare = unsigned(whole)
        yield OracleCase(f"{name}: signature off", bare, own=True)
        yield OracleCase(f"{name}: signature of another", plain + whole[len(bare) :])
        for part in (3, 5):
            changed = bytearray(whole)
            changed[len(bare) * part // 7] ^= 0x40
            yield OracleCase(f"{name}: a byte changed under the signature at {part}/7", bytes(changed))
        changed = bytearray(whole)
        changed[-len(MARKER) - 12 - 20] ^= 0xFF
        yield OracleCase(f"{name}: the signature changed", bytes(changed))


def _cmdline_cases(ground: Ground, built: dict[str, bytes]) -> Iterator[OracleCase]:
    real = next(_real_modules(ground, random.Random(1), 1))[1]
    for cmdline in ("module.sig_enforce=1", "lockdown=integrity", "module_blacklist=o_gpl,o_plain"):
        for name in ("o_plain", "o_gpl", "o_export"):
            yield OracleCase(f"{cmdline}: {name}", built[name], cmdline=cmdline)
        yield OracleCase(f"{cmdline}: signed", real, cmdline=cmdline, own=True)
        yield OracleCase(f"{cmdline}: PGP", sign(built["o_plain"], b"x" * 64, kind=0), cmdline=cmdline)
        yield OracleCase(f"{cmdline}: no ELF", b"text" * 40, cmdline=cmdline)


_RUNS_INTO = ("a weak symbol", "signed 32 bits", "relocation of type 0")
# What a guest without devices can load and unload without harm.
_PLACES = ("lib", "crypto", "net", "fs", "arch/x86/crypto")


def _real_modules(ground: Ground, chance: random.Random, count: int) -> Iterator[tuple[str, bytes]]:
    kernel = ground.kernel.modules
    assert kernel is not None
    paths: list[Path] = []
    for place in _PLACES:
        paths += sorted((kernel / "kernel" / place).rglob("*.ko*"))
    small = [path for path in paths if path.stat().st_size < 150_000]
    for path in chance.sample(small, min(count, len(small))):
        yield path.name.partition(".")[0], read_module_bytes(path)


def _real_cases(ground: Ground, chance: random.Random) -> Iterator[OracleCase]:
    for name, data in _real_modules(ground, chance, 90):
        yield OracleCase(f"real {name}", data, own=True)
    for name, data in _real_modules(ground, chance, 10):
        for title, rough, alter in list(alterations(ground))[7::13]:
            try:
                changed = alter(Editor(data)).bytes()
            except LookupError:
                continue
            yield OracleCase(f"real {name}: {title}", changed, own=True, rough=rough)


def _fuzz_cases(ground: Ground, built: dict[str, bytes], chance: random.Random) -> Iterator[OracleCase]:
    """Single bytes of what the loader reads, changed by chance."""
    for number in range(110):
        base = chance.choice(("o_plain", "o_gpl", "o_export", "o_params"))
        editor = Editor(built[base])
        part = chance.choice(("header", "table", "names", ".modinfo", "__versions", ".shstrtab"))
        if part == "header":
            at = chance.choice([*range(24), *range(40, 64)])
        elif part == "table":
            at = editor.header("shoff") + chance.randrange(64 * editor.header("shnum"))
        else:
            name = ".shstrtab" if part == "names" or not editor.has(part) else part
            row = editor.row(editor.find(name))
            at = row["offset"] + chance.randrange(row["size"])
        editor.data[at] ^= 1 << chance.randrange(8)
        yield OracleCase(
            f"fuzz {number}: {base}, {part} at {at:#x}", editor.bytes(), rough=part in ("table", "header")
        )
