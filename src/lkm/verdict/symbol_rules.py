# SPDX-License-Identifier: MIT
"""The symbols a module offers and needs (kernel/module/main.c, simplify_symbols, verify_exported_symbols)."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from errno import EINVAL, ENOENT, ENOEXEC, EPERM

from lkm.elf.number import SHN_ABS, SHN_COMMON, SHN_LORESERVE, Machine
from lkm.verdict.case import Case
from lkm.verdict.ground import KERNEL, Offer
from lkm.verdict.identity_rules import check_version, force
from lkm.verdict.nearest import find_nearest, is_defined
from lkm.verdict.subject import Undefined
from lkm.verdict.value import Finding, Taint

_SHN_LIVEPATCH = 0xFF20
_MODULE_SPACE = "module:"
_EXPORT_NAME = re.compile(rb"\0(?=__(?:ksymtab|kstrtab)_)")


def check_export_tables(case: Case) -> list[Finding]:
    """What comes with a table of exports: flags since 7.1, CRCs with MODVERSIONS (find_module_sections)."""
    subject, rule = case.subject, "export-tables"
    flagged = case.ground.messages.has("export-flags")
    if flagged is None:
        flagged = case.ground.version >= (7, 1)
    plain, gpl = subject.find("__ksymtab"), subject.find("__ksymtab_gpl")
    if flagged:
        gpl = 0  # ignored, with a warning
    has_plain = plain and subject.rows[plain].size
    has_gpl = gpl and subject.rows[gpl].size
    if flagged and has_plain and not subject.find("__kflagstab"):
        why = "it exports symbols as kernels before 7.1 do, without __kflagstab"
        return [case.refuse(rule, ENOEXEC, "export-flags", case.name, why=why, hint=case.rebuild)]
    if case.ground.option("MODVERSIONS") is False:
        return []
    if (has_plain and not subject.find("__kcrctab")) or (has_gpl and not subject.find("__kcrctab_gpl")):
        if case.ground.option("MODVERSIONS") is None:
            case.doubt("whether exported symbols need CRCs (CONFIG_MODVERSIONS)")
            return []
        good, finding = force(case, "no versions for exported symbols")
        if good:
            return [finding] if finding else []
        why = "it exports symbols without CRCs, which this kernel asks for"
        return [case.refuse(rule, ENOEXEC, why=why, hint=case.rebuild)]
    return []


def check_import_space(case: Case) -> list[Finding]:
    """What was exported to modules by name cannot be imported, since 6.16 (setup_modinfo)."""
    known = case.ground.messages.has("import-module-space")
    if known is None:
        known = case.ground.version >= (6, 16)
    for space in case.subject.values("import_ns"):
        if known and space.startswith(_MODULE_SPACE):
            why = f"it imports {space}, which is for the modules named there, without importing"
            hint = f'take MODULE_IMPORT_NS("{space}") out'
            return [
                case.refuse(
                    "import-space", EPERM, "import-module-space", case.name, space, why=why, hint=hint
                )
            ]
    return []


def check_symbols(case: Case) -> list[Finding]:
    """Each symbol that is to be found elsewhere, in the table's order; the last that fails gives errno."""
    subject = case.subject
    found: list[Finding] = []
    for place in set(subject.places):
        if place == SHN_COMMON:
            found += _common(case)
        elif place >= len(subject.rows) and place not in (SHN_ABS, _SHN_LIVEPATCH):
            found += _bad_place(case, place)
    if case.ground.exports is None:
        case.doubt("which symbols this kernel exports: neither its image nor its headers are at hand")
        return found
    using_gpl: list[str] = []
    exports, crcs = case.ground.exports, _known_crcs(case)
    for wanted in subject.undefined:
        # Nearly all are plain: found in the kernel itself, to be had, and with the CRC they should have.
        offer = exports.get(wanted.name)
        if offer is None or offer.namespace or (offer.gpl_only and case.proprietary):
            found += _resolve(case, wanted, using_gpl)
        elif crcs is None or offer.crc is None or crcs.get(wanted.name) == offer.crc:
            case.found[wanted.name] = offer
            if offer.gpl_only:
                using_gpl.append(wanted.name)
        else:
            found += _resolve(case, wanted, using_gpl)
    return found


def _known_crcs(case: Case) -> dict[str, int] | None:
    """The CRCs that are compared, None where none are; empty where that takes a closer look."""
    if case.ground.option("MODVERSIONS") is False or case.own_build:
        return None
    return {} if case.subject.find("__version_ext_crcs") else case.subject.versions


def _common(case: Case) -> list[Finding]:
    names = [subject_name(case, at) for at, place in enumerate(case.subject.places) if place == SHN_COMMON]
    why = f"{names[0]} is a common symbol: a variable without a definition of its own"
    return [
        case.refuse("common-symbol", ENOEXEC, "common", case.name, why=why, hint="compile with -fno-common")
        for name in names
        if not name.startswith("__gnu_lto")
    ]


def subject_name(case: Case, index: int) -> str:
    """The name of a row of the symbol table."""
    return case.subject.symbol_name(case.subject.symbol(index)[0])


def _bad_place(case: Case, place: int) -> list[Finding]:
    """A symbol in a section that is not there; the newest 6.1 and 6.12 and later look, others crash."""
    index = case.subject.places.index(place)
    name, count = subject_name(case, index), len(case.subject.rows)
    if case.ground.messages.has("symbol-section") is False or (
        not case.ground.messages.known and place < SHN_LORESERVE
    ):
        case.doubt(f"{name} lies in section {place} of {count}, which this kernel does not check")
        return []
    said = (case.name, name, place, count - 1)
    return [case.refuse("symbol-section", ENOEXEC, "symbol-section", *said, hint=case.rebuild)]


def _resolve(case: Case, wanted: Undefined, using_gpl: list[str]) -> list[Finding]:
    """resolve_symbol: what is found of one symbol, and what is wrong with it."""
    name = wanted.name
    offer = _find(case, name)
    if offer is None:
        ignored = name == "_GLOBAL_OFFSET_TABLE_" and case.ground.machine in (Machine.X86_64, Machine.I386)
        return [] if wanted.weak or ignored else [_absent(case, name)]
    if offer.gpl_only:
        using_gpl.append(name)
    owner = case.situation.neighbours.get(offer.owner)
    if owner is not None and not owner.gpl_compatible:
        if using_gpl:
            return _from_proprietary(case, name, offer.owner, wanted.weak)
        case.proprietary = True
        case.taints[Taint.PROPRIETARY] = None
    good, finding = check_version(case, name, offer.crc)
    if not good:
        return [*([finding] if finding else []), _unknown(case, name, EINVAL, finding)]
    notes = [finding] if finding else []
    refused = _check_space(case, name, offer.namespace)
    if refused and refused[-1].fatal:
        return [*notes, *refused]
    case.found[name] = offer
    if offer.owner:
        case.wanted[offer.owner] = None
    return [*notes, *refused]


def _find(case: Case, name: str) -> Offer | None:
    """find_symbol: the kernel's own first, then those of the loaded modules that may be had."""
    for offer in _offers(case, name):
        if not (offer.gpl_only and case.proprietary):
            return offer
    return None


def _offers(case: Case, name: str, *, any_module: bool = False) -> Iterator[Offer]:
    exports = case.ground.exports or {}
    if name in exports:
        yield exports[name]
    loaded = None if any_module else case.situation.loaded
    for module, neighbour in case.situation.neighbours.items():
        if name in neighbour.exports and module != case.name and (loaded is None or module in loaded):
            yield neighbour.exports[name]
    for offer in case.ground.module_exports.get(name, ()):
        if offer.owner != case.name and (loaded is None or offer.owner in loaded):
            yield offer


def _unknown(case: Case, name: str, number: int, cause: Finding | None) -> Finding:
    """The line that closes each failure."""
    finding = case.refuse("version", number, "unknown-symbol", case.name, name, -number)
    if cause is None:
        why = f"{name} needs a CRC in the module, which has none"
        return Finding("version", number, finding.message, why, case.rebuild)
    return Finding(cause.rule, number, finding.message, cause.why, cause.hint)


def _from_proprietary(case: Case, name: str, owner: str, weak: bool) -> list[Finding]:
    why = f"it uses GPL-only symbols, and {name} of {owner}, whose licence is not GPL-compatible"
    rule = "proprietary-owner"
    said = case.refuse(rule, 0 if weak else ENOENT, "proprietary-owner", case.name, name, owner, why=why)
    if weak:
        return [said]
    hint = f"do not use {name}, or have {owner} put under a GPL-compatible licence"
    return [said, case.refuse(rule, ENOENT, "unknown-symbol", case.name, name, -ENOENT, why=why, hint=hint)]


def _check_space(case: Case, name: str, space: str) -> list[Finding]:
    """verify_namespace_is_imported."""
    if not space or _is_meant(space, case.name) or space in case.subject.values("import_ns"):
        return []
    passes = case.ground.option("MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS")
    if passes is None:
        case.doubt("whether a namespace may be used without importing it")
    said = (case.name, name, space)
    if passes:
        return [case.warn("namespace", "namespace", *said)]
    why = f"{name} is in the namespace {space}, which it does not import"
    quoted = f'"{space}"' if case.ground.version >= (6, 13) else space
    hint = f"add MODULE_IMPORT_NS({quoted}); beside MODULE_LICENSE"
    if space.startswith(_MODULE_SPACE):
        why = f"{name} is exported only to {space.removeprefix(_MODULE_SPACE)}"
        hint = "use another symbol: these modules are named in the kernel's source"
    refused = case.refuse("namespace", EINVAL, "namespace", *said, why=why, hint=hint)
    closing = case.refuse("namespace", EINVAL, "unknown-symbol", case.name, name, -EINVAL, why=why, hint=hint)
    return [refused, closing]


def _is_meant(space: str, module: str) -> bool:
    """verify_module_namespace, since 6.16: `module:one,two*`; a dash is as good as an underscore."""
    module, space = module.replace("-", "_"), space.replace("-", "_")
    if not space.startswith(_MODULE_SPACE):
        return False
    for pattern in space.removeprefix(_MODULE_SPACE).split(","):
        if pattern.endswith("*") and module.startswith(pattern[:-1]):
            return True
        if pattern == module:
            return True
    return False


def _absent(case: Case, name: str) -> Finding:
    """Why a symbol is not to be had: the kernel says the same in all cases."""
    anywhere = list(_offers(case, name, any_module=True))
    gpl_only = [offer for offer in anywhere if offer.gpl_only]
    if anywhere and case.proprietary and gpl_only:
        licence = case.subject.value("license")
        own = f"its licence is '{licence}'" if licence else "it names no licence"
        rule, why = "gpl-only", f"{name} is exported to GPL-compatible modules only, and {own}"
        hint = 'MODULE_LICENSE("GPL"), if its source may be had under that licence'
    elif anywhere:
        owner = anywhere[0].owner
        neighbour = case.situation.neighbours.get(owner)
        before = neighbour.needs if neighbour else case.ground.needs.get(owner, ())
        order = [*(one for one in before if one not in (case.situation.loaded or ())), owner, case.name]
        rule, why = "not-loaded", f"{name} is exported by {owner}, which is not loaded"
        hint = f"load {', then '.join(order)}"
    elif is_defined(case.ground, name):
        near = find_nearest(case.ground, name)
        rule, why = "not-exported", f"{name} is in this kernel, but not exported: no module may use it"
        hint = f"exported are: {', '.join(near)}" if near else "only what is exported can be used"
    else:
        near = find_nearest(case.ground, name)
        rule, why = "no-symbol", f"there is no symbol {name} in this kernel or its modules"
        hint = f"did you mean {near[0]}?" if near else f"lkm symbol '*{name[:40]}*' looks in other kernels"
        if lacking := _lacking(case):
            hint = f"it depends on {lacking}; give its file too: {lacking}.ko {case.path.name}"
    return case.refuse(rule, ENOENT, "unknown-symbol", case.name, name, -ENOENT, why=why, hint=hint)


def _lacking(case: Case) -> str:
    """A module that this one says it depends on and that nobody knows here, or ""."""
    needs = (case.subject.value("depends") or "").split(",")
    known = {*case.situation.neighbours, *case.ground.needs}
    return next((name for name in needs if name and name.replace("-", "_") not in known), "")


def check_duplicates(case: Case) -> list[Finding]:
    """No symbol may be exported twice (verify_exported_symbols)."""
    if not case.subject.find("__ksymtab") and not case.subject.find("__ksymtab_gpl"):
        return []
    if case.own_build and not case.situation.loaded and not case.situation.neighbours:
        return []  # modpost has seen to it
    for name in exported_names(case):
        for offer in _offers(case, name):
            # Whether any other module that exports the same is loaded, too, cannot be told without a list.
            if offer.owner and case.situation.loaded is None and offer.owner not in case.wanted:
                continue
            owner = offer.owner or KERNEL
            why = f"it exports {name}, which {owner} exports already"
            hint = f"give {name} another name" + (f", or unload {owner}" if offer.owner else "")
            said = (case.name, name, owner)
            return [case.refuse("duplicate-export", ENOEXEC, "duplicate-export", *said, why=why, hint=hint)]
    return []


def exported_names(case: Case) -> Iterator[str]:
    """The names a module exports, those for all before those for GPL-compatible modules only."""
    subject = case.subject
    # Since 7.1 all are in one table.
    tables = [subject.find("__ksymtab")]
    if case.ground.messages.has("export-flags") is not True:
        tables.append(subject.find("__ksymtab_gpl"))
    by_name: dict[str, tuple[int, int]] = {}
    found: dict[int, list[tuple[int, str]]] = {table: [] for table in tables if table}
    wanted = {match.start() + 1 for match in _EXPORT_NAME.finditer(subject.strings)}
    for index, name_at in enumerate(array("I", subject.symbols)[0::6]):
        if name_at not in wanted:
            continue
        place, value = subject.symbol(index)[3:5]
        name = subject.symbol_name(name_at)
        if name.startswith("__ksymtab_") and place in found:
            found[place].append((value, name.removeprefix("__ksymtab_")))
        elif name.startswith("__kstrtab_") and place < len(subject.rows):
            by_name[name.removeprefix("__kstrtab_")] = (place, value)
    for table in tables:
        for _, name in sorted(found.get(table, ())):
            place, value = by_name.get(name, (0, 0))
            # The text counts, not the symbol's name.
            text = subject.contents(place)[value:].partition(b"\0")[0] if place else b""
            yield text.decode("utf-8", "replace") or name
