# SPDX-License-Identifier: MIT
"""Whether the file is an object file the loader can work with (kernel/module/main.c, elf_validity_*).

All of it is ENOEXEC.  The order is that of 6.13 and later; where an older kernel looks at several damaged
things in another order, it may name another one of them first.
"""

from __future__ import annotations

from array import array
from errno import EINVAL, ENOEXEC

from lkm.elf.number import ET_REL, SHF_ALLOC, SHT_NOBITS, SHT_NULL, SHT_STRTAB, SHT_SYMTAB
from lkm.elf.value import machine_name
from lkm.verdict.case import Case
from lkm.verdict.subject import THIS_MODULE
from lkm.verdict.value import Finding

_TRUNCATED = "the file is damaged or cut off: build or copy it again"


def check_size(case: Case) -> list[Finding]:
    """init_module(2) refuses less than an ELF header without a word (copy_module_from_user).

    finit_module(2), which insmod uses, says of an empty file EINVAL (kernel_read_file).
    """
    if case.subject.length >= case.subject.header_size:
        return []
    if not case.subject.length:
        return [case.refuse("size", EINVAL, why="the file is empty", hint=_TRUNCATED)]
    why = f"the file has {case.subject.length} bytes, less than an ELF header"
    return [case.refuse("size", ENOEXEC, why=why, hint=_TRUNCATED)]


def check_header(case: Case) -> list[Finding]:
    """The ELF header: length, magic, type, machine (elf_validity_ehdr)."""
    subject = case.subject
    if subject.length < subject.header_size:
        return [case.refuse("elf-header", ENOEXEC, "header-length", subject.length, hint=_TRUNCATED)]
    if not subject.data.startswith(b"\x7fELF"):
        return [case.refuse("elf-header", ENOEXEC, "header-magic", "\x7fELF", hint=_NOT_A_MODULE)]
    kind, machine, *_ = subject.header
    if kind != ET_REL:
        return [case.refuse("elf-header", ENOEXEC, "header-type", kind, ET_REL, hint=_NOT_A_MODULE)]
    if case.ground.machine is None:
        case.doubt(f"the machine: what {case.ground.kernel.arch or 'this kernel'} takes is not known here")
    elif machine != case.ground.machine:
        bits = 32 * subject.data[4] if subject.data[4] in (1, 2) else 64
        arch = machine_name(machine, bits=bits, little=subject.data[5] != 2)
        why = f"it was built for {arch}, this kernel is for {case.ground.kernel.arch}"
        return [case.refuse("machine", ENOEXEC, "machine", machine, why=why, hint=case.rebuild)]
    return []


_NOT_A_MODULE = "give the .ko file that the build made"


def check_section_table(case: Case) -> list[Finding]:
    """Where the section table is (elf_validity_cache_sechdrs)."""
    subject, rule = case.subject, "section-table"
    _, _, _, offset, row_size, count, names = subject.header
    if row_size != subject.row_size:
        return [case.refuse(rule, ENOEXEC, "section-header-size", hint=_TRUNCATED)]
    if offset >= subject.length or count * row_size > subject.length - offset:
        return [case.refuse(rule, ENOEXEC, "section-header-overflow", hint=_TRUNCATED)]
    if not count:
        return [case.refuse(rule, ENOEXEC, "name-index", names, names, count, hint=_TRUNCATED)]
    return []


def check_section_rows(case: Case) -> list[Finding]:
    """What each row of it claims (elf_validity_cache_sechdrs)."""
    subject, rule = case.subject, "section-rows"
    first = subject.rows[0]
    if first.type != SHT_NULL or first.size or first.address:
        return [case.refuse(rule, ENOEXEC, "section-zero", first.type, hint=_TRUNCATED)]
    for index, row in enumerate(subject.rows):
        if (
            index
            and row.type not in (SHT_NULL, SHT_NOBITS)
            and not _fits(subject.length, row.offset, row.size)
        ):
            return [case.refuse(rule, ENOEXEC, "section-bounds", index, row.type, hint=_TRUNCATED)]
    return []


def _fits(length: int, offset: int, size: int) -> bool:
    """validate_section_offset: in 64 bits, overflow included."""
    return offset + size < 1 << 64 and offset + size <= length


def check_section_names(case: Case) -> list[Finding]:
    """The table of section names (elf_validity_cache_secstrings)."""
    subject, rule, messages = case.subject, "section-names", case.ground.messages
    index, count = subject.header[6], len(subject.rows)
    if not 0 < index < count:
        return [case.refuse(rule, ENOEXEC, "name-index", index, index, count, hint=_TRUNCATED)]
    table = subject.rows[index]
    # Only a table without bytes in the file gets here: its bounds were not looked at before.
    outside = not _fits(subject.length, table.offset, table.size)
    if outside and messages.has("name-table-header") is not False:
        return [case.refuse(rule, ENOEXEC, "name-table-header", table.type, hint=_TRUNCATED)]
    if messages.has("name-table-type") and table.type != SHT_STRTAB:
        return [case.refuse(rule, ENOEXEC, "name-table-type", table.type, hint=_TRUNCATED)]
    if not table.size:
        return [case.refuse(rule, ENOEXEC, "name-table-empty", hint=_TRUNCATED)]
    if subject.data[table.offset + table.size - 1 : table.offset + table.size] != b"\0":
        return [case.refuse(rule, ENOEXEC, "name-table-end", hint=_TRUNCATED)]
    # In old kernels only of sections that are loaded.
    every = messages.has("name-table-type")
    if every is None:
        every = case.ground.version >= (6, 12)
    for at, row in enumerate(subject.rows):
        looked_at = (
            row.type != SHT_NULL if every else at and row.type not in _NO_BYTES and row.flags & SHF_ALLOC
        )
        if looked_at and row.name_at >= table.size:
            return [case.refuse(rule, ENOEXEC, "section-name", at, row.type, hint=_TRUNCATED)]
        if not every and row.type != SHT_NULL and row.name_at >= table.size:
            case.doubt(f"the name of section {at} lies outside the table, which this kernel does not look at")
    return []


_NO_BYTES = (SHT_NULL, SHT_NOBITS)


def check_one_modinfo(case: Case) -> list[Finding]:
    """`.modinfo` at most once (elf_validity_cache_index_info); before 6.4 the first one counts."""
    subject = case.subject
    strict = case.ground.messages.has("one-modinfo")
    if strict is None:
        strict = case.ground.version >= (6, 4)
    index = subject.find(".modinfo")
    if strict:
        if subject.count(".modinfo") > 1:
            return [
                case.refuse("one-modinfo", ENOEXEC, "one-modinfo", hint="link it with the kernel's Kbuild")
            ]
        index = subject.find(".modinfo", any_flags=True)
    subject.info_index = index
    return []


def check_symbol_table(case: Case) -> list[Finding]:
    """One symbol table, linked to its names (elf_validity_cache_index_sym and _str)."""
    subject, rule, messages = case.subject, "symbol-table", case.ground.messages
    tables = [row for index, row in enumerate(subject.rows) if index and row.type == SHT_SYMTAB]
    only_one = messages.has("one-module") is not False
    if not tables or (only_one and len(tables) != 1):
        why = "it has no symbol table: it was stripped" if not tables else "it has several symbol tables"
        hint = "strip with --strip-debug only (make INSTALL_MOD_STRIP=1), never all symbols"
        return [case.refuse(rule, ENOEXEC, "no-symbols", case.subject.told_name, why=why, hint=hint)]
    link, count = tables[0].link, len(subject.rows)
    if not 0 < link < count:
        return [case.refuse(rule, ENOEXEC, "symbol-link", link, link, count, hint=_TRUNCATED)]
    strings = subject.rows[link]
    if messages.has("strings-type") and strings.type != SHT_STRTAB:
        return [case.refuse(rule, ENOEXEC, "strings-type", strings.type, hint=_TRUNCATED)]
    return []


def check_struct_module(case: Case) -> list[Finding]:
    """`.gnu.linkonce.this_module`: once, loaded, and as big as the kernel's own `struct module`."""
    subject, rule, messages = case.subject, "struct-module", case.ground.messages
    known = messages.has("one-module")
    if known is None:
        known = case.ground.version >= (6, 4)
    title = subject.value("name") or "(missing .modinfo section or name field)"
    if not known:
        if not subject.find(THIS_MODULE):
            return [case.refuse(rule, ENOEXEC, "no-module", title, hint=_NOT_A_MODULE)]
        if subject.rows[subject.module_index].type == SHT_NOBITS:
            case.doubt("what this kernel reads as struct module, which has no bytes in the file")
    else:
        if subject.count(THIS_MODULE) != 1:
            return [case.refuse(rule, ENOEXEC, "one-module", title, hint=_NOT_A_MODULE)]
        row = subject.rows[subject.find(THIS_MODULE, any_flags=True)]
        if row.type == SHT_NOBITS:
            return [case.refuse(rule, ENOEXEC, "module-nobits", title, hint=case.rebuild)]
        if not row.flags & SHF_ALLOC:
            return [case.refuse(rule, ENOEXEC, "module-alloc", title, hint=case.rebuild)]
    return _check_struct_size(case, title, compared=known)


def _check_struct_size(case: Case, title: str, *, compared: bool) -> list[Finding]:
    size = case.subject.rows[case.subject.module_index].size
    expected = case.ground.struct_size
    if expected is None:
        case.doubt("the size of struct module: there is no module of this kernel to compare with")
    elif size != expected:
        cause = case.elsewhere or "it was built for a kernel of another version or configuration"
        why = f"{cause}: struct module has {size} bytes in it and {expected} in this kernel"
        if compared:
            return [case.refuse("struct-module", ENOEXEC, "module-size", title, why=why, hint=case.rebuild)]
        # 6.1 believes it, and writes where its own fields would be.
        case.doubt(f"what this kernel does with it, which it does not compare: {why}")
    return []


def check_symbol_names(case: Case) -> list[Finding]:
    """The names of the symbols, since 6.13 (elf_validity_cache_strtab)."""
    subject, rule, messages = case.subject, "symbol-names", case.ground.messages
    looked_at = messages.has("strings-start")
    if looked_at is None:
        looked_at = case.ground.version >= (6, 13)
    strings = subject.strings
    last = max(array("I", subject.symbols)[0::6], default=0)
    if not looked_at:
        if last >= len(strings):
            case.doubt("a symbol's name lies outside the table of names, which this kernel does not look at")
        return []
    if not strings:
        return [case.refuse(rule, ENOEXEC, "strings-empty", hint=_TRUNCATED)]
    if strings[0]:
        return [case.refuse(rule, ENOEXEC, "strings-start", hint=_TRUNCATED)]
    if strings[-1]:
        return [case.refuse(rule, ENOEXEC, "strings-end", hint=_TRUNCATED)]
    if last >= len(strings):
        return [case.refuse(rule, ENOEXEC, "symbol-name", hint=_TRUNCATED)]
    return []


def check_extended_versions(case: Case) -> list[Finding]:
    """As many names as CRCs in the extended form, since 6.14 (elf_validity_cache_index_versions)."""
    subject, rule = case.subject, "extended-versions"
    known = case.ground.messages.has("versions-pair")
    if known is None:
        known = case.ground.version >= (6, 14)
    crcs, names = subject.find("__version_ext_crcs"), subject.find("__version_ext_names")
    if not known or not (crcs or names):
        return []
    if not (crcs and names):
        return [case.refuse(rule, ENOEXEC, "versions-pair", hint=case.rebuild)]
    if subject.contents(names).count(b"\0") < subject.rows[crcs].size // 4:
        return [case.refuse(rule, ENOEXEC, "versions-names", hint=case.rebuild)]
    return []
