# SPDX-License-Identifier: MIT
"""The kernel's own words: read from its image, as they stand there, else as current kernels have them.

A check that a kernel does not have leaves no text in its image, so the same table tells which checks there
are: what is probed need not be guessed from a version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# By name: (a piece that finds it in any version, the text where no image is at hand).
_TABLE: dict[str, tuple[str, str]] = {
    "rejected": ("Loading of %s is rejected", "Loading of %s is rejected"),
    "not-pkcs7": ("not signed with expected PKCS#7", "%s: not signed with expected PKCS#7 message"),
    "signature-info": (
        "PKCS#7 signature info has unexpected",
        "%s: PKCS#7 signature info has unexpected non-zero params",
    ),
    "hash-blacklisted": ("Module hash %*phN", "Module hash %*phN is blacklisted"),
    "unsigned": (
        "module verification failed:",
        "%s: module verification failed: signature and/or required key missing - tainting kernel",
    ),
    "header-length": ("Invalid ELF header len", "Invalid ELF header len %lu"),
    "header-magic": ("Invalid ELF header magic", "Invalid ELF header magic: != %s"),
    "header-type": ("Invalid ELF header type", "Invalid ELF header type: %u != %u"),
    "machine": ("Invalid architecture in ELF", "Invalid architecture in ELF header: %u"),
    "section-header-size": ("Invalid ELF section header size", "Invalid ELF section header size"),
    "section-header-overflow": ("Invalid ELF section header overflow", "Invalid ELF section header overflow"),
    "name-index": (
        "Invalid ELF section name index",
        "Invalid ELF section name index: %d || e_shstrndx (%d) >= e_shnum (%d)",
    ),
    "name-table-header": ("Invalid ELF section hdr(type", "Invalid ELF section hdr(type %u)"),
    "name-table-type": ("Invalid ELF section name table type", "Invalid ELF section name table type: %u"),
    "name-table-empty": ("empty section name table", "empty section name table"),
    "name-table-end": (
        "section name table isn't null",
        "ELF Spec violation: section name table isn't null terminated",
    ),
    "section-zero": (
        "section 0 type(%d)",
        "ELF Spec violation: section 0 type(%d)!=SH_NULL or non-zero len or addr",
    ),
    "symbol-link": (
        "Invalid ELF sh_link!=SHN_UNDEF",
        "Invalid ELF sh_link!=SHN_UNDEF(%d) or (sh_link(%d) >= hdr->e_shnum(%d)",
    ),
    "section-bounds": (
        "Invalid ELF section in module",
        "Invalid ELF section in module (section %u type %u)",
    ),
    "section-name": (
        "Invalid ELF section name in module",
        "Invalid ELF section name in module (section %u type %u)",
    ),
    "one-modinfo": ("Only one .modinfo section", "Only one .modinfo section must exist."),
    "no-symbols": ("module has no symbols (stripped?)", "%s: module has no symbols (stripped?)"),
    "no-module": ("No module found in object", "%s: No module found in object"),
    "one-module": (
        " one .gnu.linkonce.this_module section must exist",
        "module %s: Exactly one .gnu.linkonce.this_module section must exist.",
    ),
    "module-nobits": (
        ".gnu.linkonce.this_module section must have a size set",
        "module %s: .gnu.linkonce.this_module section must have a size set",
    ),
    "module-alloc": (
        ".gnu.linkonce.this_module must occupy",
        "module %s: .gnu.linkonce.this_module must occupy memory during process execution",
    ),
    "module-size": (
        ".gnu.linkonce.this_module section size must match",
        "module %s: .gnu.linkonce.this_module section size must match the kernel's built struct module size "
        "at run time",
    ),
    "strings-type": (
        "Invalid ELF symbol string table type",
        "Invalid ELF symbol string table type: %u",
    ),
    "strings-empty": ("empty symbol string table", "empty symbol string table"),
    "strings-start": (
        "symbol string table missing leading",
        "symbol string table missing leading NUL",
    ),
    "strings-end": (
        "symbol string table isn't NUL",
        "symbol string table isn't NUL terminated",
    ),
    "symbol-name": (
        "symbol name out of bounds in string",
        "symbol name out of bounds in string table",
    ),
    "versions-pair": (
        "extended version crc+name",
        "extended version crc+name presence does not match",
    ),
    "versions-names": (
        "more extended version crcs",
        "more extended version crcs than names",
    ),
    "blacklisted": ("Module %s is blacklisted", "Module %s is blacklisted"),
    "version": (
        "disagrees about version of symbol",
        "%s: disagrees about version of symbol %s",
    ),
    "no-version": ("no symbol version for", "%s: no symbol version for %s"),
    "forced": (": kernel tainted.", "%s: %s: kernel tainted."),
    "vermagic": ("version magic '%s'", "%s: version magic '%s' should be '%s'"),
    "livepatch": (
        "livepatch support is disabled",
        "%s: module is marked as livepatch module, but livepatch support is disabled",
    ),
    "write-exec": (
        "invalid WRITE|EXEC flags",
        "%s: section %s (index %d) has invalid WRITE|EXEC flags",
    ),
    "per-cpu": ("Could not allocate %lu bytes percpu", "%s: Could not allocate %lu bytes percpu data"),
    "constructors": ("both .ctors and .init_array", "%s: has both .ctors and .init_array."),
    "export-flags": ("no flags for exported symbols", "%s: no flags for exported symbols"),
    "import-module-space": (
        "tries to import module namespace",
        "%s: module tries to import module namespace: %s",
    ),
    "common": ("please compile with -fno-common", "%s: please compile with -fno-common"),
    "unknown-symbol": ("Unknown symbol %s (err", "%s: Unknown symbol %s (err %d)"),
    "proprietary-owner": (
        "module using GPL-only symbols uses",
        "%s: module using GPL-only symbols uses symbols %s from proprietary module %s.",
    ),
    "namespace": (
        "from namespace %s, but does not import",
        "%s: module uses symbol (%s) from namespace %s, but does not import it.",
    ),
    "symbol-section": (
        "has an invalid section index",
        "%s: Symbol %s has an invalid section index %u (max %u)",
    ),
    "relocation-type": (
        "%s: Unknown rela relocation",
        "%s: Unknown rela relocation: %llu",
    ),
    "relocation-rel": ("REL relocation unsupported", "module %s: REL relocation unsupported"),
    "relocation-target": (
        "nvalid relocation target, existing value is nonzero",
        "x86/modules: Invalid relocation target, existing value is nonzero for type %d, loc %p, val %Lx",
    ),
    "relocation-overflow": (
        "overflow in relocation type",
        "overflow in relocation type %d val %Lx",
    ),
    "duplicate-export": (
        "exports duplicate symbol",
        "%s: exports duplicate symbol %s (owned by %s)",
    ),
    "types": ("failed to validate module [%s] BTF", "failed to validate module [%s] BTF: %ld"),
    "types-passed": (
        "Kernel module BTF mismatch detected",
        "Kernel module BTF mismatch detected, BTF debug info may be unavailable for some modules",
    ),
    "parameter-invalid": ("%s: `%s' invalid for parameter", "%s: `%s' invalid for parameter `%s'"),
    "parameter-large": ("%s: `%s' too large for parameter", "%s: `%s' too large for parameter `%s'"),
    "parameter-unknown": ("unknown parameter '%s' ignored", "%s: unknown parameter '%s' ignored"),
    "in-sysfs": ("%s: module is already loaded", "%s: module is already loaded"),
}
# What a text's level is before it: KERN_SOH and a digit (include/linux/kern_levels.h).
_SOH = b"\x01"
_CONVERSION = re.compile(r"%(?:\*ph\w?|[-0-9.]*(?:ll|l|L|z)?[a-zA-Z])")
_LONGEST = 300

Texts = dict[str, tuple[str, str]]


def find_texts(image: bytes) -> Texts:
    """(level, text) of each message that a kernel image holds, by its name in the table."""
    found: Texts = {}
    for name, (piece, _) in _TABLE.items():
        wanted = piece.encode()
        at = image.find(wanted)
        while at >= 0:
            text = _text_at(image, at)
            if text is not None:
                found[name] = text
                break
            at = image.find(wanted, at + 1)
    return found


def _text_at(image: bytes, at: int) -> tuple[str, str] | None:
    """The C string around a place, where it is one of printk's or a plain one."""
    start = image.rfind(b"\0", max(0, at - _LONGEST), at) + 1
    end = image.find(b"\0", at, at + _LONGEST)
    if start <= 0 or end < 0:
        return None
    raw = image[start:end]
    level = ""
    if raw.startswith(_SOH):
        level, raw = raw[1:2].decode("ascii", "replace"), raw[2:]
    elif _SOH in raw:
        return None
    # Other parts of the kernel relocate, too: kexec.
    if not raw.isascii() or raw.startswith(b"kexec"):
        return None
    return level, raw.decode().rstrip("\n")


class Messages:
    """The words of one kernel.  `known`: whether its image was read, so that what is absent is not there."""

    def __init__(self, texts: Mapping[str, tuple[str, str]] | None) -> None:
        self.known = texts is not None
        self._texts = dict(texts or {})

    def has(self, name: str) -> bool | None:
        """Whether the kernel has a message; None where its image was not read."""
        return name in self._texts if self.known else None

    def level(self, name: str) -> str:
        """The message's level, "3" for an error and "4" for a warning, "" where it is not known."""
        return self._texts.get(name, ("", ""))[0]

    def say(self, name: str, *values: object) -> str:
        """A message with its values put in; `None` and what is missing cuts it off with `…`."""
        text = self._texts.get(name, ("", _TABLE[name][1]))[1]
        parts: list[str] = []
        last = 0
        given = iter(values)
        for match in _CONVERSION.finditer(text):
            parts.append(text[last : match.start()])
            value = next(given, None)
            if value is None:
                return "".join(parts) + "…"
            if isinstance(value, int) and match[0] in ("%d", "%i"):
                value = (value + (1 << 31)) % (1 << 32) - (1 << 31)  # as the kernel prints it
            parts.append(str(value))
            last = match.end()
        return "".join(parts) + text[last:]
