# SPDX-License-Identifier: MIT
"""What is fuzzed: everything that reads a file which may be hostile, with inputs to begin with."""

from __future__ import annotations

import gzip
import lzma
import struct
import tempfile
from pathlib import Path

import zstandard
from elf_builder import Name, Piece, build_module
from klog_logs import read_log

from lkm.elf import BytesSource, parse_elf
from lkm.kernel.kallsyms import read_kallsyms
from lkm.kernel.symbols import parse_map
from lkm.kernel.symvers import parse_symvers, read_image_exports
from lkm.klog import find_reports, parse_log
from lkm.modtree.builtin import read_built_in_information
from lkm.modtree.patch import patch_trie
from lkm.modtree.probe import parse_softdep, read_probe_config
from lkm.modtree.scan import scan_source
from lkm.modtree.search import read_depmod_config
from lkm.modtree.trie import Trie, build_trie
from lkm.modtree.unload import parse_loaded
from lkm.module import parse_module, read_module_bytes
from lkm.module.der import DerError
from lkm.module.signature import MARKER, read_signature
from lkm.module.verify import parse_certificate, verify_signature
from lkm.show.info import info_json, info_lines
from lkm.show.modinfo import modinfo_text, signature_information
from lkm.show.sections import sections_json, sections_lines, sections_svg

_SCRATCH = Path(tempfile.gettempdir()) / "lkm-fuzz"


def module(data: bytes) -> None:
    """All that is read of a module, and shown."""
    found = parse_module(BytesSource(data, name="fuzzed.ko"), path=Path("fuzzed.ko"))
    info_json(found)
    info_lines(found)
    modinfo_text([*found.information, *signature_information(found.signature)], filename="fuzzed.ko")
    sections_json(found)
    sections_lines(found, all_functions=True)
    sections_svg(found)


def elf(data: bytes) -> None:
    """Every part of an ELF file."""
    found = parse_elf(data, name="fuzzed")
    for section in found.sections:
        found.relocations(section)
        found.read_section(section)
    assert found.symbols is not None


def scan(data: bytes) -> None:
    """What depmod reads: the quick way, the careful one where that gives up."""
    scan_source(BytesSource(data, name="fuzzed.ko"))


def trie(data: bytes) -> None:
    """The index files."""
    found = Trie(data, name="fuzzed.bin")
    entries = list(found)
    found.search(b"key1")
    found.search_patterns(b"pci:v00001")
    patch_trie(found, entries[:3], [(b"new", 1, b"value")])


def packed(data: bytes) -> None:
    """Compressed files."""
    _SCRATCH.mkdir(exist_ok=True)
    path = _SCRATCH / "fuzzed.ko"
    path.write_bytes(data)
    read_module_bytes(path, limit=1 << 22)


def certificate(data: bytes) -> None:
    """Certificates, and a signature checked with what one holds."""
    found = parse_certificate(data)
    source = BytesSource(MODULE)
    verify_signature(source, read_signature(source), found)


def texts(data: bytes) -> None:
    """Text files: which one the first byte tells."""
    text = data[1:].decode("utf-8", "surrogateescape")
    _SCRATCH.mkdir(exist_ok=True)
    path = _SCRATCH / "fuzzed.conf"
    match data[:1]:
        case b"a":
            parse_map(text)
        case b"b":
            parse_symvers(text)
        case b"c":
            parse_loaded(text)
        case b"d":
            path.write_bytes(data[1:])
            read_depmod_config("6.1.0", [path])
        case b"e":
            path.write_bytes(data[1:])
            read_probe_config(None, [path], softdeps=text, cmdline=text)
        case b"f":
            (_SCRATCH / "modules.builtin.modinfo").write_bytes(data[1:])
            read_built_in_information(_SCRATCH)
        case _:
            parse_softdep("x", text)


def image(data: bytes) -> None:
    """What is read of a kernel image."""
    read_image_exports(data, name="fuzzed")
    read_kallsyms(data)


def log(data: bytes) -> None:
    """A kernel log, and the reports in it."""
    find_reports(parse_log(data))


def _module() -> bytes:
    pointers = [(0, 1, 1, 0), (16, 1, 2, 0), (32, 1, 3, 0), (40, 1, 1, 4), (56, 1, 4, 0), (72, 1, 3, 16)]
    array = struct.pack("<II", 4, 4) + bytes(24)
    return build_module(
        "fuzzed",
        information=[
            "license=GPL", "alias=pci:v0000*", "parm=day:The day", "parmtype=day:int",
            "softdep=pre: a post: b", "depends=x,y", "vermagic=6.1 SMP ", "import_ns=USB",
            "parmtype=list:array of int",
        ],
        pieces=[
            Piece("__param", bytes(80), relocations=pointers),
            Piece(".rodata", b"day\0list\0"),
            Piece(".data", struct.pack("<i", 7) + bytes(12) + array, flags=3,
                  relocations=[(24, 1, 3, 0), (32, 1, 2, 0), (40, 1, 3, 0)]),
            Piece(".text", bytes(40), flags=6, relocations=[(4, 2, 5, -4)]),
            Piece(".init.text", bytes(9), flags=6), Piece(".bss", zeros=64, flags=3),
            Piece("__versions", struct.pack("<Q56sQ56s", 0x1234, b"module_layout", 5, b"printk")),
            Piece("__version_ext_crcs", struct.pack("<I", 7)), Piece("__version_ext_names", b"long_name\0"),
            Piece("__ksymtab_gpl", bytes(12)), Piece("__ksymtab_strings", b"offered\0NS\0"),
            Piece("__kcrctab_gpl", struct.pack("<I", 9)), Piece("__kflagstab", b"\1"),
            Piece(".note.gnu.build-id", struct.pack("<III", 4, 4, 3) + b"GNU\0abcd", type=7),
            Piece(".comment", b"GCC: 1\0", flags=0),
        ],
        names=[
            Name("s", ".rodata", binding=0), Name("param_ops_int"), Name("d", ".data", binding=0),
            Name("param_array_ops"), Name("printk"), Name("init_module", ".init.text", 0, 9, type=2),
            Name("__ksymtab_offered", "__ksymtab_gpl"), Name("__kstrtabns_offered", "__ksymtab_strings", 8),
            Name("__crc_offered", "__kcrctab_gpl"), Name("__flags_offered", "__kflagstab"),
        ],
    )  # fmt: skip


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + size + body


def _name(text: bytes) -> bytes:
    return _der(0x30, _der(0x31, _der(0x30, b"\x06\x03\x55\x04\x03", _der(0x0C, text))))


_SHA256 = _der(0x30, bytes.fromhex("0609608648016503040201"))
_RSA = _der(0x30, bytes.fromhex("06092a864886f70d010101"), b"\x05\0")


def _signature() -> bytes:
    who = _der(0x30, _name(b"signer"), b"\x02\x02\x12\x34")
    signer = _der(0x30, b"\x02\1\1", who, _SHA256, _RSA, _der(4, bytes(64)))
    data = _der(0x30, bytes.fromhex("06092a864886f70d010701"))
    content = _der(0x30, b"\x02\1\1", _der(0x31, _SHA256), data, _der(0x31, signer))
    return _der(0x30, bytes.fromhex("06092a864886f70d010702"), _der(0xA0, content))


def _signed(data: bytes) -> bytes:
    raw = _signature()
    return data + raw + struct.pack(">5B3xI", 0, 0, 2, 0, 0, len(raw)) + MARKER


def _certificate() -> bytes:
    key = _der(0x30, _RSA, _der(3, b"\0", _der(0x30, _der(2, b"\0" + b"\xc3" * 64), b"\x02\3\1\0\1")))
    body = _der(0x30, _der(0xA0, b"\x02\1\2"), b"\x02\x02\x12\x34", _SHA256, _name(b"signer"), _der(0x30),
                _name(b"subject"), key)  # fmt: skip
    return _der(0x30, body, _SHA256, _der(3, bytes(65)))


MODULE = _signed(_module())
_TRIE = build_trie(
    [(b"pci:v0000*d*", 1, b"igb"), (b"pci:v0000", 2, b"e"), (b"key1", 3, b"x"), (b"", 4, b"root")]
)
TARGETS = {
    "module": (module, [MODULE, build_module(bits=32, little=False, names=[Name("printk")])]),
    "elf": (elf, [MODULE, build_module(bits=32, pieces=[Piece(".text", bytes(9), relocations=[(0, 1, 1, 0)])],
                                       names=[Name("a")], rela=False)]),
    "scan": (scan, [MODULE, _module()]),
    "log": (log, [read_log(name) for name in
                  ("made-arm64-null", "6.12-kcsan-data_race", "made-two-at-once", "made-slub-poison",
                   "made-kmemleak", "made-x86-3.16-null")]),
    "trie": (trie, [_TRIE, build_trie([])]),
    "packed": (packed, [gzip.compress(b"abc" * 99), lzma.compress(b"abc" * 99),
                        zstandard.ZstdCompressor(write_checksum=True).compress(b"abc" * 99)]),
    "certificate": (certificate, [_certificate()]),
    "texts": (texts, [
        b"affffffff81000000 T _text\n", b"b0x12\tprintk\tvmlinux\tEXPORT_SYMBOL\tNS\n",
        b"cext4 100 2 a,b,[permanent], Live 0x0\n",
        b"dsearch a built-in\noverride m * d\nexternal ^6 /x\\\n y\n",
        b"eoptions a b=\"c d\" \\\n e=1\nalias x[a-z]* y\nsoftdep a pre: b post: c\nblacklist q\n",
        b"fa.license=GPL\0b.alias=c\0", b"gpre: a b post: c",
    ]),
    "image": (image, [
        build_module(pieces=[Piece("__ksymtab", bytes(24)), Piece("__ksymtab_strings", b"a\0b\0")]),
        build_module(pieces=[Piece(".rodata", b"".join(b"%d\0" % digit for digit in range(10)) * 30)]),
    ]),
}  # fmt: skip
ALLOWED: dict[str, tuple[type[BaseException], ...]] = {"certificate": (DerError, IndexError)}
