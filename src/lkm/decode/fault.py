# SPDX-License-Identifier: MIT
"""Words for an address that led nowhere: NULL, an error code, user space, what is not there or protected."""

from __future__ import annotations

from lkm.decode.evidence import Evidence
from lkm.decode.pointer import NEAR_NULL, Followed
from lkm.decode.poison import Value, explain_value
from lkm.decode.words import VALUES, WORDS, Words
from lkm.klog.report import Kind, Report


def explain_null(evidence: Evidence) -> Words:
    """A NULL pointer that was followed, written through or called."""
    report, plain = evidence.report, WORDS[Kind.NULL_POINTER]
    if _was_called(report):
        what = f": `{evidence.called}`" if evidence.called else ""
        return Words(
            f"a NULL function pointer was called{what}",
            "a member of a table of functions, or a callback, that was never set",
        )
    # A small error code with a member's offset comes to an address near 0, too.
    value = explain_value(evidence.base, arch=report.arch) if evidence.base else None
    if value is not None and value.name == "error":
        return _error(evidence, value)
    how = "written through" if report.access == "write" else "followed"
    followed = evidence.followed
    if followed is not None:
        where = _offset_words(followed)
        return Words(
            f"a NULL pointer was {how}: `{followed.expression}`{where}",
            f"`{followed.pointer}` is NULL here: {plain.usually}",
        )
    if evidence.inside:
        return Words(f"{evidence.inside}() was given a NULL pointer", plain.usually)
    offset = report.address if report.address is not None and report.address < NEAR_NULL else 0
    return Words(f"a NULL pointer was {how}{f', at offset {offset:#x}' if offset else ''}", plain.usually)


def _was_called(report: Report) -> bool:
    """Whether the processor was sent to an address near 0."""
    at = report.at
    if at is not None and not at.symbol and at.address is not None:
        return at.address < NEAR_NULL
    return report.access == "execute" and report.address is not None and report.address < NEAR_NULL


def _offset_words(followed: Followed) -> str:
    of = f" of {followed.struct}" if followed.struct else ""
    return f" (offset {followed.offset:#x}{of})" if followed.offset or of else ""


def explain_fault(evidence: Evidence) -> Words:
    """An address where the processor found nothing, or what it may not do."""
    report = evidence.report
    if report.access == "execute" or is_nowhere(report):
        return explain_executed(evidence)
    what = _value(evidence)
    expression = f": `{evidence.followed.expression}`" if evidence.followed else ""
    if what is not None and what.name == "error":
        return _error(evidence, what)
    if what is not None and what.name in VALUES:
        means, usually = VALUES[what.name]
        return Words(f"{means}{expression}; {what.text}", usually)
    if what is not None and what.name in {"null", "near-null"}:
        return explain_null(evidence)
    if what is not None and what.name == "user":
        return _user(evidence, expression)
    if "alignment" in report.details.get("protection", ""):
        return Words(
            f"an address was accessed that must be aligned and is not{expression} ({report.address or 0:#x})",
            "an atomic operation on a member of a packed structure, or a pointer into the middle of a buffer",
        )
    if report.access == "write" and _is_protected(report):
        return Words(
            f"memory was written that is read-only{expression}",
            "a const variable, a string literal, or what is __ro_after_init was changed",
        )
    return _unmapped(evidence, expression)


def _error(evidence: Evidence, what: Value) -> Words:
    followed = evidence.followed
    expression = f": `{followed.expression}`" if followed else ""
    pointer = f"`{followed.pointer}` is {what.text}" if followed else what.text
    return Words(
        f"an error code was followed as if it were a pointer{expression}: {pointer}",
        "what gives ERR_PTR() must be checked with IS_ERR(); a check against NULL does not see it",
    )


def _value(evidence: Evidence) -> Value | None:
    arch = evidence.report.arch
    for value in (evidence.base, evidence.report.address):
        if value is not None and (what := explain_value(value, arch=arch)) is not None:
            return what
    return None


def _is_protected(report: Report) -> bool:
    text = report.details.get("protection", "")
    return "permission" in text or "protection" in text or "read-only" in report.details.get("fault", "")


def is_nowhere(report: Report) -> bool:
    """Whether the processor was where no function is."""
    at = report.at
    return at is not None and not at.symbol and at.address is not None and at.address == report.address


def _user(evidence: Evidence, expression: str) -> Words:
    report = evidence.report
    address = f"{report.address:#x}" if report.address is not None else "it"
    if _is_protected(report) or report.kind is Kind.PAGE_FAULT:
        return Words(
            f"an address of user space was accessed directly{expression} ({address})",
            "a pointer from user space (read, write, ioctl) needs copy_from_user() or copy_to_user(); "
            "or it is no pointer at all: never set, or overwritten",
        )
    return Words(f"{WORDS[report.kind].means}{expression} ({address})", WORDS[report.kind].usually)


def _unmapped(evidence: Evidence, expression: str) -> Words:
    report, plain = evidence.report, WORDS[evidence.report.kind]
    address = f" ({report.address:#x})" if report.address is not None else ""
    if evidence.inside:
        return Words(f"{evidence.inside}() was given an address where no memory is{address}", plain.usually)
    return Words(f"{plain.means}{expression}{address}", plain.usually)


def explain_executed(evidence: Evidence) -> Words:
    """A jump to where no code is."""
    report = evidence.report
    address = f"{report.address:#x}" if report.address is not None else "it"
    if report.address is not None and report.address < NEAR_NULL:
        return explain_null(evidence)
    if "NX" in report.details.get("protection", "") or _is_protected(report):
        what = f": `{evidence.called}`" if evidence.called else ""
        return Words(
            f"data was run as if it were code{what} ({address})",
            "a function pointer that points to data: never set, overwritten, or of a freed structure",
        )
    unloaded = report.details.get("last_unloaded", "")
    of = f" of {unloaded}" if unloaded else " of a module"
    return Words(
        f"code{of} was run that is no longer there ({address}): it was unloaded",
        "a timer, work item, thread or callback that the exit function did not stop and wait for: "
        "timer_delete_sync(), cancel_work_sync(), kthread_stop(), unregister_…()",
    )
