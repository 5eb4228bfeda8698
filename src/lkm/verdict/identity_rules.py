# SPDX-License-Identifier: MIT
"""Whether the module was built for this kernel, and may be there at all (kernel/module/main.c, version.c)."""

from __future__ import annotations

from errno import EEXIST, EINVAL, ENOEXEC, ENOMEM, EPERM

from lkm.elf.number import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE
from lkm.kernel.value import Kernel
from lkm.module.read import GPL_COMPATIBLE
from lkm.verdict.case import Case
from lkm.verdict.value import TAINT_MEANINGS, Finding, Taint

# include/linux/percpu.h: PERCPU_MODULE_RESERVE, which all modules of an x86-64 kernel share.
_PER_CPU_RESERVE = 8 << 10
# arch/x86: MODULES_END - MODULES_VADDR at its largest; no module fits in less.
_MODULES_SPACE = 0x5F000000
_BIG = 64 << 20
# kernel/module/main.c, module_license_offenders.
_OFFENDERS = ("driverloader", "lve")


def check_blacklist(case: Case) -> list[Finding]:
    """`module_blacklist=` on the kernel's command line (blacklisted)."""
    listed = (case.situation.word("module_blacklist") or "").split(",")
    name = case.subject.told_name
    if name in listed:
        why = f"{name} is on the kernel's command line: module_blacklist="
        hint = f"boot without {name} in module_blacklist="
        return [case.refuse("blacklist", EPERM, "blacklisted", name, why=why, hint=hint)]
    return []


def check_version(case: Case, symbol: str, crc: int | None) -> tuple[bool, Finding | None]:
    """Whether the CRC that a module has of a symbol fits, and what is said of it (version.c, check_version).

    Rule names are the caller's to set: the finding's is `version`.
    """
    subject, ground = case.subject, case.ground
    if crc is None or ground.option("MODVERSIONS") is False or case.own_build:
        return True, None
    extended = bool(subject.find("__version_ext_crcs")) and ground.messages.has("versions-pair") is not False
    if not extended and not subject.find("__versions"):
        return force(case, symbol)
    known = subject.extended_versions if extended else subject.versions
    if known.get(symbol) == crc:
        return True, None
    title = subject.told_name
    if symbol not in known:
        if ground.debian:
            # Debian's patch: "module: Disable matching missing version CRC".
            why = f"it has no CRC of {symbol}, which this kernel compares"
            return False, case.refuse(
                "version", EINVAL, "no-version", title, symbol, why=why, hint=case.rebuild
            )
        return True, case.warn("version", "no-version", title, symbol)
    why = f"the CRC of {symbol} is 0x{known[symbol]:08x} in it and 0x{crc:08x} in this kernel"
    why = f"{case.elsewhere}; {why}" if case.elsewhere else f"{why}: its types changed since it was built"
    return False, case.refuse("version", EINVAL, "version", title, symbol, why=why, hint=case.rebuild)


def force(case: Case, reason: str) -> tuple[bool, Finding | None]:
    """try_to_force_load: taken with CONFIG_MODULE_FORCE_LOAD, at the price of a taint."""
    allowed = case.ground.option("MODULE_FORCE_LOAD")
    if allowed is None:
        case.doubt(f"whether a module that lacks this is taken (CONFIG_MODULE_FORCE_LOAD): {reason}")
    if allowed is False:
        return False, None
    if Taint.FORCED in case.taints:
        return True, None
    case.taints[Taint.FORCED] = None
    return True, case.warn("forced", "forced", case.name, reason, why=TAINT_MEANINGS[Taint.FORCED])


def check_module_layout(case: Case) -> list[Finding]:
    """The CRC of module_layout, which stands for all that the loader reads (check_modstruct_version)."""
    if case.ground.option("MODVERSIONS") is False:
        return []
    if case.ground.exports is None or "module_layout" not in case.ground.exports:
        if case.ground.option("MODVERSIONS"):
            case.doubt("the CRC of module_layout: this kernel's exports are not at hand")
        return []
    good, finding = check_version(case, "module_layout", case.ground.exports["module_layout"].crc)
    if good:
        return [finding] if finding else []
    if finding is None:
        why = "it has no symbol CRCs (__versions), which this kernel asks for"
        return [case.refuse("module-layout", ENOEXEC, why=why, hint=case.rebuild)]
    return [Finding("module-layout", ENOEXEC, finding.message, finding.why, finding.hint)]


def check_vermagic(case: Case) -> list[Finding]:
    """The version magic; its release is passed over where the module has CRCs (check_modinfo, same_magic)."""
    subject, wanted = case.subject, case.ground.vermagic
    own = subject.value("vermagic")
    if own is None:
        good, finding = force(case, "bad vermagic")
        if good:
            return [finding] if finding else []
        why = "it has no version magic (vermagic=), which this kernel asks for"
        return [case.refuse("vermagic", ENOEXEC, why=why, hint=case.rebuild)]
    if wanted is None:
        case.doubt("the version magic: neither the image nor a module of this kernel is at hand")
        release = own.partition(" ")[0]
        if release == case.ground.kernel.release or case.ground.option("MODVERSIONS") is not False:
            return []
        wanted = f"{case.ground.kernel.release} {own.partition(' ')[2]}"
    with_crcs = bool(subject.find("__versions")) and case.ground.option("MODVERSIONS") is not False
    mine, theirs = (_flags(own), _flags(wanted)) if with_crcs else (own, wanted)
    if mine == theirs:
        return []
    why = _vermagic_why(case.name, own, wanted, with_crcs=with_crcs)
    release = own.partition(" ")[0]
    hint = f"{case.rebuild}; or take {_built_for(release, case.ground.kernel)}"
    said = (subject.told_name, own, wanted)
    return [case.refuse("vermagic", ENOEXEC, "vermagic", *said, why=why, hint=hint)]


def _built_for(release: str, kernel: Kernel) -> str:
    """The kernel that a module was built for, by a name that means it and no other; `kernel` it is not."""
    from lkm.kernel.stock import list_of_release

    names = [one.name for one in list_of_release(release) if not kernel.build or one.build != kernel.build]
    if not names:
        return f"the kernel it was built for, {release}, which no kernel here is by name: --kernel DIR"
    if len(names) == 1:
        return f"the kernel here of the release it was built for: --kernel {names[0]}"
    return f"one of the release it was built for: --kernel {' or '.join(names)}"


def _flags(magic: str) -> str:
    at = magic.find(" ")
    return magic[at:] if at >= 0 else ""


def _vermagic_why(name: str, own: str, wanted: str, *, with_crcs: bool) -> str:
    release, target = own.partition(" ")[0], wanted.partition(" ")[0]
    if release != target and not with_crcs:
        return f"{name} was built for {release}, this kernel is {target}"
    lacking = [word for word in wanted.split()[1:] if word not in own.split()[1:]]
    extra = [word for word in own.split()[1:] if word not in wanted.split()[1:]]
    parts = [f"this kernel has {' '.join(lacking)}"] if lacking else []
    parts += [f"it was built with {' '.join(extra)}"] if extra else []
    return "another configuration: " + ", ".join(parts or [f"'{own}' is not '{wanted}'"])


def check_livepatch(case: Case) -> list[Finding]:
    """A module that patches the kernel needs CONFIG_LIVEPATCH (check_modinfo_livepatch)."""
    if case.subject.value("livepatch") is None:
        return []
    allowed = case.ground.option("LIVEPATCH")
    if allowed is None:
        case.doubt("whether this kernel can be patched while it runs (CONFIG_LIVEPATCH)")
    elif not allowed:
        hint = "choose a kernel with CONFIG_LIVEPATCH=y"
        return [case.refuse("livepatch", ENOEXEC, "livepatch", case.name, hint=hint)]
    case.taints[Taint.LIVEPATCH] = None
    return []


def check_taints(case: Case) -> list[Finding]:
    """What the module says of itself that taints the kernel (module_augment_kernel_taints)."""
    subject = case.subject
    if subject.value("intree") is None:
        case.taints[Taint.OUT_OF_TREE] = None
    if subject.value("staging") is not None:
        case.taints[Taint.STAGING] = None
    licence = subject.value("license")
    if licence not in GPL_COMPATIBLE or case.name in _OFFENDERS:
        case.taints[Taint.PROPRIETARY] = None
        case.proprietary = True
    if subject.value("test") is not None:
        case.taints[Taint.TEST] = None
    return []


def check_same_name(case: Case) -> list[Finding]:
    """No two modules of one name (module_patient_check_exists, add_unformed_module)."""
    if case.situation.loaded is not None and case.name in case.situation.loaded:
        why = f"a module named {case.name} is loaded already"
        return [case.refuse("same-name", EEXIST, why=why, hint=f"rmmod {case.name}")]
    return []


def check_write_exec(case: Case) -> list[Finding]:
    """No section both to write and to execute, CONFIG_STRICT_MODULE_RWX (module_enforce_rwx_sections)."""
    strict = case.ground.option("STRICT_MODULE_RWX")
    for index, row in enumerate(case.subject.rows):
        if row.flags & SHF_WRITE and row.flags & SHF_EXECINSTR:
            name = case.subject.names[index].decode("utf-8", "replace")
            if strict is None:
                case.doubt("whether sections to write and to execute are refused (CONFIG_STRICT_MODULE_RWX)")
            elif strict:
                why = f"section {name} is both to write and to execute"
                hint = f"give {name} other flags in the assembler's .section"
                return [
                    case.refuse(
                        "write-exec", ENOEXEC, "write-exec", case.name, name, index, why=why, hint=hint
                    )
                ]
    return []


def check_memory(case: Case) -> list[Finding]:
    """Whether it fits into the space that modules have (move_module)."""
    size = sum(row.size for row in case.subject.rows if row.flags & SHF_ALLOC)
    if size > _MODULES_SPACE:
        why = f"it asks for {size >> 20} MiB, more than all modules together may have"
        return [case.refuse("memory", ENOMEM, why=why, hint="allocate big buffers at run time: vmalloc()")]
    if size > _BIG:
        case.doubt(f"whether the machine has {size >> 20} MiB left for it")
    return []


def check_per_cpu(case: Case) -> list[Finding]:
    """Space for per-CPU variables, which all modules share (percpu_modalloc)."""
    index = case.subject.find(".data..percpu")
    size = case.subject.rows[index].size if index else 0
    if not size:
        return []
    if case.ground.kernel.arch != "x86_64":
        if size > _PER_CPU_RESERVE:
            case.doubt(
                f"whether {size} bytes of per-CPU variables are to be had on {case.ground.kernel.arch}"
            )
        return []
    if size > _PER_CPU_RESERVE:
        why = f"it has {size} bytes of per-CPU variables, all modules together may have {_PER_CPU_RESERVE}"
        hint = "allocate them at run time: alloc_percpu()"
        return [case.refuse("per-cpu", ENOMEM, "per-cpu", case.name, size, why=why, hint=hint)]
    return []


def check_constructors(case: Case) -> list[Finding]:
    """Constructors in one form only, with CONFIG_CONSTRUCTORS (find_module_sections)."""
    subject = case.subject
    if subject.find(".ctors") and subject.find(".init_array") and case.ground.option("CONSTRUCTORS"):
        hint = "build all its parts with one compiler"
        return [case.refuse("constructors", EINVAL, "constructors", case.name, hint=hint)]
    return []
