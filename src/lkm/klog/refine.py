# SPDX-License-Identifier: MIT
"""What a report is about, once all of it was read."""

from __future__ import annotations

from lkm.klog.draft import SAY_END, Draft, Stage
from lkm.klog.report import Frame, Kind, Report

_PAGE = 4096
# mm/slub.c and include/linux/poison.h: POISON_FREE, LIST_POISON1/2 (x86_64, arm64: POISON_POINTER_DELTA).
_POISON_FREE = 0x6B6B6B6B
_LIST_POISON = range(0xDEAD000000000100, 0xDEAD000000001000)
# Documentation/arch/x86/x86_64/mm.rst, Documentation/arch/arm64/memory.rst: where modules are mapped.
_MODULES_X86 = range(0xFFFFFFFFA0000000, 0xFFFFFFFFFF000000)
_MODULES_ARM64 = range(0xFFFF800000000000, 0xFFFFFC0000000000)
_FREEING = {
    "kfree",
    "kmem_cache_free",
    "__kmem_cache_free",
    "__slab_free",
    "do_slab_free",
    "slab_free",
    "set_freepointer",
}
# Where a stack begins: nothing stands below them.
_ROOTS = {
    "entry_SYSCALL_64_after_hwframe",
    "ret_from_fork",
    "ret_from_fork_asm",
    "secondary_startup_64_no_verify",
    "common_startup_64",
    "el0t_64_sync",
    "el0_sync",
    "kthread",
}


def build_report(draft: Draft, *, at_end: bool) -> Report | None:
    """The report of a draft; `at_end`: the log ended with it.  None where it says nothing."""
    if draft.kind is Kind.STACK_TRACE and not draft.traces and draft.at is None:
        return None
    kind, address = _refined(draft)
    return Report(
        kind,
        draft.title,
        draft.first,
        draft.last,
        at=_place(draft),
        place=draft.place,
        address=address,
        access=draft.access or _access(draft),
        size=draft.size,
        registers=draft.registers,
        code=draft.code,
        traces=tuple(draft.traces),
        cpu=draft.cpu,
        pid=draft.pid,
        comm=draft.comm,
        release=draft.release,
        taint=draft.taint,
        arch=draft.arch,
        modules=tuple(draft.modules),
        details=draft.details,
        complete=_is_complete(draft, at_end=at_end),
    )


def _refined(draft: Draft) -> tuple[Kind, int | None]:
    kind, address = draft.kind, draft.address
    if kind is Kind.NULL_POINTER and address is None:  # `at (null)`
        address = 0
    kasan = draft.details.get("kasan", "")
    if kasan.startswith("null-ptr-deref") and kind in (Kind.GENERAL_PROTECTION, Kind.PAGE_FAULT):
        return Kind.NULL_POINTER, int(draft.details.get("range", "0"), 16)
    if kind in (Kind.GENERAL_PROTECTION, Kind.PAGE_FAULT) and address is not None:
        if address >> 32 == _POISON_FREE:
            return Kind.USE_AFTER_FREE, address
        if address in _LIST_POISON:
            return Kind.LIST_CORRUPTION, address
        if draft.access == "execute" and _is_gone(draft, address):
            return Kind.UNLOADED_IN_USE, address
    if kind is Kind.WARNING and _asks_too_much(draft):
        kind = Kind.ALLOCATION_FAILURE
    if kind is Kind.BUG and _frees_twice(draft):
        kind = Kind.DOUBLE_FREE
    return kind, address


def _asks_too_much(draft: Draft) -> bool:
    """mm/page_alloc.c __alloc_pages warns of an order that no allocation can have."""
    if draft.at is None or draft.place is None or not draft.place.path.endswith("mm/page_alloc.c"):
        return False
    return draft.at.symbol.startswith("__alloc_") and "message" not in draft.details


def _frees_twice(draft: Draft) -> bool:
    """mm/slub.c set_freepointer stops where an object is put on the list that it is on."""
    if draft.at is None or draft.place is None or not draft.place.path.endswith("mm/slub.c"):
        return False
    return draft.at.symbol.partition(".")[0] in _FREEING


def _is_gone(draft: Draft, address: int) -> bool:
    """Whether code was to run where no module is any more: it has no name, and a module was unloaded."""
    if "last_unloaded" not in draft.details or draft.at is None or draft.at.symbol:
        return False
    return address in _MODULES_X86 or (draft.arch == "aarch64" and address in _MODULES_ARM64)


def _place(draft: Draft) -> Frame | None:
    """KCSAN's title has no offsets; its first trace begins at the access."""
    if draft.at is None and draft.kind is Kind.KCSAN and draft.traces:
        return draft.traces[0].frames[0]
    return draft.at


def _access(draft: Draft) -> str:
    """Before 5.2 x86 gave the error code alone (arch/x86/include/asm/trap_pf.h)."""
    if draft.kind not in (Kind.NULL_POINTER, Kind.PAGE_FAULT):
        return ""
    if draft.arch == "aarch64":
        return "execute" if draft.details.get("exception", "").startswith("IABT") else ""
    if "error_code" not in draft.details:
        return ""
    code = int(draft.details["error_code"], 16)
    return "execute" if code & 16 else "write" if code & 2 else "read"


def _is_complete(draft: Draft, *, at_end: bool) -> bool:
    if draft.ended:
        return True
    if at_end and draft.kind not in SAY_END and draft.traces:
        return draft.kind is Kind.KMEMLEAK or draft.traces[-1].frames[-1].symbol in _ROOTS
    return not at_end and draft.kind not in SAY_END and draft.stage is not Stage.OPENING
