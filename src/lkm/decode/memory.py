# SPDX-License-Identifier: MIT
"""Words for what KASAN, KFENCE and kmemleak report of memory: which object, who allocated and freed it."""

from __future__ import annotations

from lkm.decode.evidence import Evidence
from lkm.decode.fault import explain_null
from lkm.decode.value import SourceLine, Walk
from lkm.decode.words import MEMORY_BUGS, WORDS, Words
from lkm.klog.report import Kind, Report


def explain_memory(evidence: Evidence) -> Words | None:
    """KASAN and KFENCE: what was accessed, where that is in which object, who allocated and freed it."""
    report = evidence.report
    bug = report.details.get("bug", "")
    found = next(
        (MEMORY_BUGS[name] for name in sorted(MEMORY_BUGS, key=len, reverse=True) if name in bug), None
    )
    if found is None:
        return None
    if bug == "memory corruption":
        size = report.details.get("object_size", "")
        means = found.means.replace("an object", f"an object of {size} bytes") if size else found.means
        return Words(f"{means}{_history(evidence, freed=False)}", found.usually)  # that is the place itself
    if "free" in bug and "use" not in bug:
        return Words(f"memory was {found.means}{_history(evidence)}", found.usually)
    verb = {"read": "read", "write": "written"}.get(report.access, "accessed")
    if "null-ptr" in bug:
        return explain_null(evidence)
    size = "something was"
    if report.size:
        size = f"{report.size} bytes were" if report.size > 1 else "a byte was"
    name = report.details.get("variable", "")
    variable = f": `{name}`" if name and "stack" in bug else ""
    where = f"{found.means}{variable}" if variable else _where(report) or found.means
    return Words(f"{size} {verb} {where}{_history(evidence)}", found.usually)


def _where(report: Report) -> str:
    details = report.details
    size = report.details.get("region", "").partition("-")[0] or details.get("object_size", "")
    offset, where = details.get("offset", ""), details.get("where", "")
    if not offset or not where:
        return ""
    what = f"an object of {size} bytes" if size else "an object"
    if "use-after-free" in details.get("bug", ""):
        what += " that was freed already"
    if where == "inside":
        return (
            f"in {what}, {offset} bytes from its beginning"
            if offset != "0"
            else f"at the beginning of {what}"
        )
    if where == "right":  # mm/kfence/report.c counts from the beginning: `address - meta->addr`
        if not size or int(offset) < int(size):
            return ""
        offset = str(int(offset) - int(size))
    if where in {"to the right", "right"}:
        return f"{_bytes(offset)} after {what}" if offset != "0" else f"right behind {what}"
    return f"{_bytes(offset)} before {what}"


def _bytes(count: str) -> str:
    return f"{count} byte{'s' if count != '1' else ''}"


def _history(evidence: Evidence, *, freed: bool = True) -> str:
    """Who allocated and `freed` the memory, where traces tell it."""
    parts = []
    for word, verb in (("llocated by", "allocated"), ("reed by", "freed"))[: 1 + freed]:
        line = _own_line(evidence.walks, word)
        if line is not None:
            parts.append(f"{verb} by {line.function}() at {line.short}")
    return f" ({', '.join(parts)})" if parts else ""


def _own_line(walks: tuple[Walk, ...], title: str) -> SourceLine | None:
    for walk in walks:
        if title in walk.title:
            for step in walk.steps:
                if step.known and step.own is not None:
                    return step.own
    return None


def explain_leak(evidence: Evidence) -> Words | None:
    """kmemleak: what was lost, and whose it was."""
    size, place = evidence.report.size, evidence.place
    if not size or place is None:
        return None
    return Words(
        f"{size} bytes that {place.function}() allocated were lost: nothing points to them any more",
        WORDS[Kind.KMEMLEAK].usually,
    )
