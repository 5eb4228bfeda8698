# SPDX-License-Identifier: MIT
"""What a report is about, once all of it was read."""

from __future__ import annotations

from lkm.klog.draft import Draft, Stage
from lkm.klog.report import Kind, Report

_PAGE = 4096
# mm/slub.c and include/linux/poison.h: POISON_FREE, LIST_POISON1/2 (x86_64, arm64: POISON_POINTER_DELTA).
_POISON_FREE = 0x6B6B6B6B
_LIST_POISON = range(0xDEAD000000000100, 0xDEAD000000001000)
# Those that end with a line that says so, on all architectures.
_SAY_END = {
    Kind.NULL_POINTER,
    Kind.PAGE_FAULT,
    Kind.GENERAL_PROTECTION,
    Kind.DIVIDE_ERROR,
    Kind.INVALID_OPCODE,
    Kind.STACK_OVERFLOW,
    Kind.BUG,
    Kind.OOPS,
    Kind.WARNING,
    Kind.KASAN,
    Kind.KFENCE,
    Kind.KCSAN,
    Kind.KMSAN,
    Kind.REFCOUNT,
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
        at=draft.at,
        place=draft.place,
        address=address,
        access=draft.access,
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
    kasan = draft.details.get("kasan", "")
    if kasan.startswith("null-ptr-deref") and kind in (Kind.GENERAL_PROTECTION, Kind.PAGE_FAULT):
        return Kind.NULL_POINTER, int(draft.details.get("range", "0"), 16)
    if kind in (Kind.GENERAL_PROTECTION, Kind.PAGE_FAULT) and address is not None:
        if address >> 32 == _POISON_FREE:
            return Kind.USE_AFTER_FREE, address
        if address in _LIST_POISON:
            return Kind.LIST_CORRUPTION, address
    return kind, address


def _is_complete(draft: Draft, *, at_end: bool) -> bool:
    if draft.ended:
        return True
    return not at_end and draft.kind not in _SAY_END and draft.stage is not Stage.OPENING
