# SPDX-License-Identifier: MIT
"""All rules in the order in which kernels apply them.

Read in kernel/module/ of 6.1 and 6.17, and held against guests of 6.1, 6.12 and 7.3 (bench/oracle.py).
"""

from __future__ import annotations

from lkm.verdict import elf_rules as elf
from lkm.verdict import identity_rules as identity
from lkm.verdict import late_rules as late
from lkm.verdict import relocation_rules as relocation
from lkm.verdict import signature_rules as signature
from lkm.verdict import symbol_rules as symbol
from lkm.verdict.ground import Ground
from lkm.verdict.value import Rule

_MAIN = "kernel/module/main.c"
_ALL = "all"

_SIZE = Rule("size", "the file is long enough", f"{_MAIN}: copy_module_from_user", _ALL, elf.check_size)
_SIGNATURE = Rule(
    "signature", "signature and lockdown", "kernel/module/signing.c: module_sig_check", "CONFIG_MODULE_SIG",
    signature.check_signature,
)  # fmt: skip
_HEADER = Rule("elf-header", "ELF header and machine", f"{_MAIN}: elf_validity_ehdr", _ALL, elf.check_header)
_SECTIONS = Rule(
    "section-table", "section table", f"{_MAIN}: elf_validity_cache_sechdrs", _ALL, elf.check_section_table
)
_ROWS = Rule(
    "section-rows", "rows of the section table", f"{_MAIN}: elf_validity_cache_sechdrs", _ALL,
    elf.check_section_rows,
)  # fmt: skip
_NAMES = Rule(
    "section-names", "names of the sections", f"{_MAIN}: elf_validity_cache_secstrings", _ALL,
    elf.check_section_names,
)  # fmt: skip
_MODINFO = Rule(
    "one-modinfo", "one .modinfo", f"{_MAIN}: elf_validity_cache_index_info", "6.4 and later",
    elf.check_one_modinfo,
)  # fmt: skip
_SYMBOL_TABLE = Rule(
    "symbol-table", "a symbol table", f"{_MAIN}: elf_validity_cache_index_sym", _ALL, elf.check_symbol_table
)
_STRUCT = Rule(
    "struct-module", "struct module, and its size", f"{_MAIN}: elf_validity_cache_index_mod",
    "size: 6.4 and later", elf.check_struct_module,
)  # fmt: skip
_STRINGS = Rule(
    "symbol-names", "names of the symbols", f"{_MAIN}: elf_validity_cache_strtab", "6.13 and later",
    elf.check_symbol_names,
)  # fmt: skip
_EXTENDED = Rule(
    "extended-versions", "long symbol names' CRCs", f"{_MAIN}: elf_validity_cache_index_versions",
    "6.14 and later", elf.check_extended_versions,
)  # fmt: skip
_BLACKLIST = Rule("blacklist", "module_blacklist=", f"{_MAIN}: blacklisted", _ALL, identity.check_blacklist)
_LAYOUT = Rule(
    "module-layout", "CRC of module_layout", "kernel/module/version.c: check_modstruct_version",
    "CONFIG_MODVERSIONS", identity.check_module_layout,
)  # fmt: skip
_VERMAGIC = Rule("vermagic", "version magic", f"{_MAIN}: check_modinfo", _ALL, identity.check_vermagic)
_LIVEPATCH = Rule(
    "livepatch", "live patching", f"{_MAIN}: check_modinfo_livepatch", _ALL, identity.check_livepatch
)
_TAINTS = Rule(
    "taints", "licence and origin", f"{_MAIN}: module_augment_kernel_taints", _ALL, identity.check_taints
)
_SAME_NAME = Rule(
    "same-name", "no module of that name", f"{_MAIN}: add_unformed_module", _ALL, identity.check_same_name
)
_WRITE_EXEC = Rule(
    "write-exec", "no section to write and execute",
    "kernel/module/strict_rwx.c: module_enforce_rwx_sections", "CONFIG_STRICT_MODULE_RWX",
    identity.check_write_exec,
)  # fmt: skip
_MEMORY = Rule("memory", "space for it", f"{_MAIN}: move_module", _ALL, identity.check_memory)
_PER_CPU = Rule(
    "per-cpu", "per-CPU variables", f"{_MAIN}: percpu_modalloc", "CONFIG_SMP", identity.check_per_cpu
)
_CONSTRUCTORS = Rule(
    "constructors", "constructors", f"{_MAIN}: find_module_sections", "CONFIG_CONSTRUCTORS",
    identity.check_constructors,
)  # fmt: skip
_EXPORTS = Rule(
    "export-tables", "tables of exports", f"{_MAIN}: check_export_symbol_sections",
    "CONFIG_MODVERSIONS; flags: 7.1 and later", symbol.check_export_tables,
)  # fmt: skip
_IMPORT_SPACE = Rule(
    "import-space", "namespaces of modules", f"{_MAIN}: setup_modinfo", "6.16 and later",
    symbol.check_import_space,
)  # fmt: skip
_SYMBOLS = Rule("symbols", "each symbol it needs", f"{_MAIN}: simplify_symbols", _ALL, symbol.check_symbols)
_RELOCATIONS = Rule(
    "relocations", "relocations", "arch/x86/kernel/module.c: apply_relocate_add", "x86-64",
    relocation.check_relocations,
)  # fmt: skip
_DUPLICATES = Rule(
    "duplicate-export", "no symbol exported twice", f"{_MAIN}: verify_exported_symbols", _ALL,
    symbol.check_duplicates,
)  # fmt: skip
_TYPES = Rule(
    "types", "type information", "kernel/bpf/btf.c: btf_module_notify", "CONFIG_DEBUG_INFO_BTF_MODULES",
    late.check_types,
)  # fmt: skip
_PARAMETERS = Rule(
    "parameters", "values of its parameters", "kernel/params.c: parse_args", _ALL, late.check_parameters
)
_SYSFS = Rule(
    "in-sysfs", "no built-in module of that name", "kernel/module/sysfs.c: mod_sysfs_init", _ALL,
    late.check_sysfs,
)  # fmt: skip
_UNLOAD = Rule("unload", "whether it can be unloaded", f"{_MAIN}: delete_module", _ALL, late.check_unload)

_BEGIN = (_SIZE, _SIGNATURE, _HEADER, _SECTIONS)
_END = (
    _MEMORY, _TAINTS, _PER_CPU, _CONSTRUCTORS, _EXPORTS, _IMPORT_SPACE, _SYMBOLS, _RELOCATIONS, _DUPLICATES,
    _TYPES, _PARAMETERS, _SYSFS, _UNLOAD,
)  # fmt: skip
# From 6.4 on a name that is taken is seen before anything is laid out, and again after.
_MODERN = (
    *_BEGIN, _ROWS, _NAMES, _MODINFO, _STRUCT, _SYMBOL_TABLE, _EXTENDED, _STRINGS, _BLACKLIST, _LAYOUT,
    _VERMAGIC, _LIVEPATCH, _SAME_NAME, _WRITE_EXEC, *_END,
)  # fmt: skip
_OLD = (
    *_BEGIN, _NAMES, _ROWS, _MODINFO, _SYMBOL_TABLE, _STRUCT, _STRINGS, _BLACKLIST, _LAYOUT, _VERMAGIC,
    _LIVEPATCH, _WRITE_EXEC, _SAME_NAME, *_END,
)  # fmt: skip
RULES = _MODERN


def rules_of(ground: Ground) -> tuple[Rule, ...]:
    """The rules in the order of a kernel."""
    modern = ground.messages.has("one-module")
    if modern is None:
        modern = ground.version >= (6, 4)
    return _MODERN if modern else _OLD
