# SPDX-License-Identifier: MIT
"""Reading what a kernel checks modules against out of what is at hand of it: image, headers, modules.

The image comes first: it is what decides.  What it says is kept in the cache's index, by the files' stamps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lkm.elf import Elf, parse_elf
from lkm.errors import BadInputError
from lkm.kernel import Kernel, unpack_image
from lkm.kernel.stamp import place_of, stamp_files, stamp_modules
from lkm.kernel.symvers import VMLINUX, ExportRow, Memory, read_image_exports, read_symvers
from lkm.modtree.built import is_build, list_built
from lkm.modtree.builtin import built_in_modules, read_built_in_information
from lkm.modtree.find import iter_module_files
from lkm.modtree.graph import build_graph
from lkm.modtree.index import Index, fresh_tree
from lkm.modtree.tree import Tree
from lkm.module import module_name, read_module
from lkm.module.der import DerError
from lkm.module.verify import Certificate, parse_certificate
from lkm.verdict.btf import find_struct_size, measure_types
from lkm.verdict.ground import MACHINES, Ground, Offer
from lkm.verdict.message import Messages, Texts, find_texts

_FORMAT = 6
_OPTION = re.compile(r"^(?:CONFIG_(\w+)=([ym])|# CONFIG_(\w+) is not set)$", re.MULTILINE)
# The options that any rule asks for.
OPTIONS = (
    "MODVERSIONS", "MODULE_SIG", "MODULE_SIG_FORCE", "MODULE_FORCE_LOAD", "MODULE_UNLOAD", "LIVEPATCH",
    "MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS", "MODULE_ALLOW_BTF_MISMATCH", "DEBUG_INFO_BTF_MODULES",
    "STRICT_MODULE_RWX", "CONSTRUCTORS", "SMP",
)  # fmt: skip
# A SEQUENCE of a SEQUENCE that begins with version 3: an X.509 certificate (RFC 5280, 4.1).
_CERTIFICATE = re.compile(rb"\x30\x82(..)\x30\x82..\xa0\x03\x02\x01\x02\x02", re.DOTALL)


def read_ground(kernel: Kernel, *, index: Index | None = None) -> Ground:
    """What is known of `kernel`; reads its files where it was not asked before, or they changed.

    Raises `BadInputError` for a damaged kernel.
    """
    index = index or Index()
    place, stamp = place_of(kernel), _stamp(kernel)
    kept = index.load(place, "verdict", stamp)
    if kept is None:
        kept = _collect(kernel, index)
        index.save(place, "verdict", kept, stamp)
    return _build(kernel, kept)


def _stamp(kernel: Kernel) -> str:
    paths = [kernel.image, kernel.config]
    if kernel.build is not None:
        paths += [kernel.build / "Module.symvers", kernel.build / ".config"]
    return f"{_FORMAT} {stamp_files(paths)} {stamp_modules(kernel)}"


def _collect(kernel: Kernel, index: Index) -> dict[str, Any]:
    """Everything as plain values, as the index keeps them."""
    image = unpack_image(kernel.image) if kernel.image is not None else None
    listed = _read_listed(kernel)
    tree = None
    if kernel.modules is not None:
        tree, _ = fresh_tree(index, kernel.modules, bad=lambda error: None)
    kept: dict[str, Any] = {"texts": None, "exports": None, "certificates": None, "sysfs": None}
    kept |= {"vermagic": None, "size": None, "debian": "debian" in kernel.name, "types": None}
    kept["machine"] = None
    options = _read_options(kernel)
    if image is not None:
        kept |= _probe_image(kernel, image)
        options |= _probe_options(image, kept["texts"])
    if kept["exports"] is None and listed:
        kept["exports"] = [(row.name, *_offer(row, "")) for row in listed if row.owner == VMLINUX]
        options.setdefault("MODVERSIONS", any(row.crc for row in listed))
    versions = options.get("MODVERSIONS", True)
    if kept["exports"] is not None and not versions:
        kept["exports"] = [(name, owner, None, *rest) for name, owner, _, *rest in kept["exports"]]
    own = _own_module(kernel)
    if own is not None:
        kept["size"] = own[0]
        kept["vermagic"] = kept["vermagic"] or own[1]
        kept["machine"] = own[2]
    kept["options"] = options
    kept["module_exports"] = [
        (row.name, *_offer(row, module_name(row.owner))) for row in _module_exports(listed, tree)
    ]
    kept["needs"] = _needs(tree)
    return kept


def _offer(row: ExportRow, owner: str) -> tuple[str, int | None, bool, str]:
    return owner, row.crc or None, row.gpl_only, row.namespace


def _read_listed(kernel: Kernel) -> list[ExportRow]:
    path = kernel.build / "Module.symvers" if kernel.build is not None else None
    return read_symvers(path) if path is not None and path.is_file() else []


def _read_options(kernel: Kernel) -> dict[str, bool]:
    places = [kernel.build / ".config"] if kernel.build is not None else []
    places += [kernel.config] if kernel.config is not None else []
    for place in places:
        try:
            text = place.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        on = {match[1] for match in _OPTION.finditer(text) if match[1]}
        return {name: name in on for name in OPTIONS}
    return {}


def _probe_image(kernel: Kernel, image: bytes) -> dict[str, Any]:
    elf = parse_elf(image, name=str(kernel.image))
    exports = read_image_exports(image, name=str(kernel.image))
    crcs = elf.find_section("__kcrctab") is not None or elf.find_section("__kcrctab_gpl") is not None
    types = elf.read_named(".BTF")
    pattern = re.compile(rb"\0(" + re.escape(kernel.release.encode()) + rb" [A-Za-z_ 0-9-]*)\0")
    magic = pattern.search(image)
    return {
        "texts": find_texts(image),
        "exports": [(row.name, *_offer(row, "")) for row in exports] or None,
        "crcs": crcs,
        "certificates": _find_certificates(image),
        "sysfs": _named_in_sysfs(elf, kernel),
        "vermagic": magic[1].decode() if magic else None,
        "size": find_struct_size(types, "module") if types else None,
        "types": measure_types(types, long_header=b"layout_off: %u" in image) if types else None,
        "debian": b"debian-kernel@lists.debian.org" in image,
    }


def _probe_options(image: bytes, texts: Texts) -> dict[str, bool]:
    """Options that the messages in an image tell, whatever a configuration file says."""
    found = {
        "MODULE_SIG": "unsigned" in texts,
        "MODULE_FORCE_LOAD": "forced" in texts,
        "MODVERSIONS": "version" in texts,
        "STRICT_MODULE_RWX": "write-exec" in texts,
        "CONSTRUCTORS": "constructors" in texts,
        "LIVEPATCH": "livepatch" not in texts and b"klp_module_coming" in image,
        "SMP": "per-cpu" in texts,
        "DEBUG_INFO_BTF_MODULES": "types" in texts or "types-passed" in texts,
    }
    if "namespace" in texts:
        # pr_err where it refuses, pr_warn where CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS lets it pass.
        found["MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS"] = texts["namespace"][0] == "4"
    if "types-passed" in texts:
        found["MODULE_ALLOW_BTF_MISMATCH"] = True
    return found


def _find_certificates(image: bytes) -> list[bytes]:
    """The certificates in an image (certs/system_certificates.S), DER."""
    found = []
    for match in _CERTIFICATE.finditer(image):
        data = image[match.start() : match.start() + 4 + int.from_bytes(match[1], "big")]
        try:
            parse_certificate(data)
        except (DerError, IndexError, ValueError):
            continue
        found.append(data)
    return found


def _named_in_sysfs(elf: Elf, kernel: Kernel) -> list[str] | None:
    """Built-in modules with a directory in /sys/module: those with parameters to show, or a version.

    Source: kernel/params.c, param_sysfs_builtin and version_sysfs_builtin.
    """
    section = elf.find_section("__param")
    if section is None or elf.header.bits != 64:
        return None
    memory = Memory(elf)
    data = elf.read_section(section)
    found = set()
    for at in range(0, len(data) - 39, 40):
        text = memory.text(int.from_bytes(data[at : at + 8], "little")) or ""
        name, dot, _ = text.partition(".")
        if int.from_bytes(data[at + 24 : at + 26], "little"):
            found.add(name if dot else "kernel")
    if kernel.modules is not None:
        for name, pairs in read_built_in_information(kernel.modules).items():
            if any(key == "version" for key, _ in pairs):
                found.add(name)
    return sorted(found)


def _own_module(kernel: Kernel) -> tuple[int, str, tuple[int, int]] | None:
    """(bytes of struct module, vermagic, (machine, bits)) by one of the kernel's own modules."""
    if kernel.modules is None:
        return None
    inside = kernel.modules / "kernel"
    files: Iterable[Path] = list_built(kernel.modules) if is_build(kernel.modules) else ()
    for path in files or iter_module_files(inside if inside.is_dir() else kernel.modules):
        try:
            module = read_module(path)
            section = module.elf.find_section(".gnu.linkonce.this_module")
            if section is not None and module.vermagic.startswith(f"{kernel.release} "):
                header = module.elf.header
                return section.size, module.vermagic, (header.machine, header.bits)
        except BadInputError:
            continue
    return None


def _module_exports(listed: list[ExportRow], tree: Tree | None) -> Iterable[ExportRow]:
    found = [row for row in listed if row.owner != VMLINUX]
    if found or tree is None:
        yield from found
        return
    for entry in tree.entries:
        if entry.exports:
            try:
                exports = read_module(tree.path(entry)).exports
            except BadInputError:
                continue
            for export in exports:
                yield ExportRow(export.name, entry.name, export.crc or 0, export.gpl_only, export.namespace)


def _needs(tree: Tree | None) -> list[tuple[str, tuple[str, ...]]]:
    """For each module of the directory those that it needs, in an order to load them in."""
    if tree is None:
        return []
    needed = build_graph(tree).needed
    names = [entry.name for entry in tree.entries]
    known: dict[int, tuple[int, ...]] = {}

    def order(number: int) -> tuple[int, ...]:
        if number not in known:
            known[number] = ()  # what needs itself in a circle cannot be loaded anyway
            found: dict[int, None] = {}
            for need in needed[number]:
                found |= dict.fromkeys((*order(need), need))
            known[number] = tuple(found)
        return known[number]

    return [(name, tuple(names[need] for need in order(at))) for at, name in enumerate(names)]


def _build(kernel: Kernel, kept: dict[str, Any]) -> Ground:
    machine, bits = MACHINES.get(kernel.arch) or kept["machine"] or (None, 64)
    exports = None
    if kept["exports"] is not None:
        exports = {name: Offer(*rest) for name, *rest in kept["exports"]}
    offers: dict[str, tuple[Offer, ...]] = {}
    for name, *rest in kept["module_exports"]:
        offers[name] = (*offers.get(name, ()), Offer(*rest))
    certificates: tuple[Certificate, ...] | None = None
    if kept["certificates"] is not None:
        certificates = tuple(map(parse_certificate, kept["certificates"]))
    numbers = re.findall(r"\d+", kernel.release)
    return Ground(
        kernel=kernel,
        machine=machine,
        bits=bits,
        version=(int(numbers[0]), int(numbers[1])) if len(numbers) > 1 else (0, 0),
        messages=Messages(kept["texts"]),
        vermagic=kept["vermagic"],
        struct_size=kept["size"],
        options=kept["options"],
        exports=exports,
        module_exports=offers,
        needs=dict(kept["needs"]),
        in_sysfs=None if kept["sysfs"] is None else frozenset(kept["sysfs"]),
        certificates=certificates,
        types=kept["types"],
        debian=kept["debian"],
        raw_certificates=tuple(kept["certificates"] or ()),
        built_in=built_in_modules(kernel.modules) if kernel.modules is not None else frozenset(),
    )
