# SPDX-License-Identifier: MIT
"""A sentence on what a report means, and one on what usually causes it, as specific as the report allows."""

from __future__ import annotations

import re
from collections.abc import Callable

from lkm.decode.evidence import Evidence
from lkm.decode.fault import explain_executed, explain_fault, explain_null, is_nowhere
from lkm.decode.memory import explain_leak, explain_memory
from lkm.decode.words import ANYTHING, OBJECTS, WORDS, Words
from lkm.klog.report import Kind


def explain(evidence: Evidence) -> Words:
    """What a report means and what usually causes it."""
    special = _SPECIAL.get(evidence.report.kind)
    words = special(evidence) if special is not None else None
    return words or WORDS.get(evidence.report.kind, ANYTHING)


def _unloaded(evidence: Evidence) -> Words | None:
    return explain_executed(evidence) if is_nowhere(evidence.report) else _named(evidence)


def _list(evidence: Evidence) -> Words | None:
    return explain_fault(evidence) if evidence.report.address is not None else _message(evidence)


def _divide(evidence: Evidence) -> Words | None:
    if not evidence.divisor:
        return None
    return Words(f"a division by zero: `{evidence.divisor}` is 0", WORDS[Kind.DIVIDE_ERROR].usually)


# mm/slub.c set_freepointer: BUG_ON(object == fp) with CONFIG_SLAB_FREELIST_HARDENED.
_FREEING = {"kfree", "__kmem_cache_free", "kmem_cache_free", "__slab_free", "slab_free"}
_CONDITION = re.compile(r"\b(BUG_ON|BUG|WARN\w*|VM_BUG_ON|panic)\s*\((.*)\)")


def _stopped_itself(evidence: Evidence) -> Words | None:
    """BUG() and WARN(), the module's own or the kernel's."""
    report = evidence.report
    plain = WORDS[report.kind]
    message = report.details.get("message", "").splitlines()
    said = f": {message[0]}" if message and message[0] != report.title else ""
    if evidence.inside in _FREEING and report.kind is Kind.BUG:
        return WORDS[Kind.DOUBLE_FREE]
    if evidence.inside:
        return Words(f"{evidence.inside}() found something wrong{said}", "what it was given, on that line")
    match = _CONDITION.search(evidence.line)
    if match is None:
        return Words(f"{plain.means}{said}", plain.usually) if said else None
    condition = match[2].strip()
    if match[1] in {"BUG", "panic"} or not condition:
        return Words(f"the code stopped itself with {match[1]}()", plain.usually)
    if said and (match[1] in {"WARN", "WARN_ONCE"} or condition == "1"):
        return Words(f"the code warned{said}", "what makes it say so, on that line")
    verb = "stopped itself" if match[1].endswith("BUG_ON") else "warned"
    return Words(f"the code {verb}: {match[1]}({condition}) was true{said}", "what makes that condition true")


def _stack_overflow(evidence: Evidence) -> Words | None:
    counts: dict[str, int] = {}
    for walk in evidence.walks:
        for step in walk.steps:
            if step.frame.reliable and step.frame.symbol:
                counts[step.frame.symbol] = counts.get(step.frame.symbol, 0) + 1
    name = max(counts, key=lambda one: counts[one], default="")
    if name and counts[name] >= 4:
        plain = WORDS[Kind.STACK_OVERFLOW]
        return Words(
            f"{plain.means}; {name.partition('.')[0]}() calls itself, {counts[name]} times in the trace",
            "a recursion without an end: make it a loop",
        )
    return None


def _undefined(evidence: Evidence) -> Words | None:
    report = evidence.report
    message = report.details.get("message", "").splitlines()
    bug = report.details.get("bug", "")
    if not message:
        return None
    what = "an index is out of bounds" if "array-index" in bug else "the result is undefined in C"
    return Words(f"{what}: {message[0]}", WORDS[Kind.UBSAN].usually)


def _sleeping(evidence: Evidence) -> Words | None:
    plain = WORDS[evidence.report.kind]
    details = evidence.report.details
    why = []
    if details.get("irqs_disabled", "0") not in {"", "0"}:
        why.append("interrupts are disabled")
    if details.get("in_atomic", "0") not in {"", "0"}:
        why.append("a spinlock is held, preemption is disabled, or it is an interrupt or timer")
    call = f"{evidence.inside}()" if evidence.inside else "a function"
    reason = f": {', '.join(why)}" if why else ""
    return Words(f"{call}, which may sleep, was called where sleeping is not allowed{reason}", plain.usually)


def _stuck(evidence: Evidence) -> Words | None:
    """Lockups, stalls and hung tasks: for how long, in what."""
    report, plain = evidence.report, WORDS[evidence.report.kind]
    seconds = report.details.get("seconds")
    means = plain.means.replace("many seconds", f"{seconds} seconds") if seconds else plain.means
    place = f", in {evidence.place.function}()" if evidence.place is not None else ""
    return Words(means + place, plain.usually)


def _message(evidence: Evidence) -> Words | None:
    """Kinds whose own sentence says the essential."""
    plain = WORDS[evidence.report.kind]
    report = evidence.report
    said = report.details.get("message") or report.details.get("bug", "")
    said = said.splitlines()[0] if said else ""
    if report.kind in {Kind.LIST_CORRUPTION, Kind.BUFFER_OVERFLOW} or not said:
        said = _SHOUT.sub("", report.title)
    return Words(f"{plain.means}: {said.rstrip('.')}", plain.usually) if said else None


_SHOUT = re.compile(r"^(?:\[ )?(?:WARNING|BUG|INFO): |\s*(?:!|\])*$")


def _object(evidence: Evidence) -> Words | None:
    """Debug objects: what was done to which sort of object in which state."""
    details = evidence.report.details
    bug, sort = details.get("bug", ""), details.get("object_type", "")
    verb, _, state = bug.partition(" ")
    verbs = {"free": "freed", "init": "set up again", "activate": "started again", "deactivate": "stopped"}
    if not sort or verb not in verbs:
        title = evidence.report.details.get("message", "").splitlines()
        said = _SHOUT.sub("", title[0] if title else evidence.report.title)
        usually = next((text for word, text in OBJECTS.items() if word in said), "")
        return Words(f"an object of the kernel was used wrongly: {said}", usually)
    still = {"active": "still pending", "inactive": "not in use", "initialized": "set up"}.get(state, state)
    name = {"timer_list": "timer", "work_struct": "work item", "hrtimer": "high-resolution timer"}.get(
        sort, sort
    )
    return Words(f"a {name} was {verbs[verb]} while it was {still}", WORDS[Kind.OBJECT_MISUSE].usually)


def _panic(evidence: Evidence) -> Words | None:
    said = evidence.report.details.get("panic", "")
    plain = WORDS[Kind.PANIC]
    if evidence.inside in {"panic", ""} and evidence.place is not None and "panic" in evidence.line:
        return Words(
            f"the code called panic(): {said}", "a module must not take the kernel down: return an error"
        )
    if said.startswith("NMI"):
        return Words(
            "the machine did not answer, and was asked where it is (an NMI)",
            "a loop that does not end, with interrupts off, or a lock that nobody gives back",
        )
    return Words(f"{plain.means}: {said}", plain.usually) if said else None


def _named(evidence: Evidence) -> Words | None:
    plain = WORDS[evidence.report.kind]
    name = evidence.report.details.get("name") or evidence.report.details.get("cache", "")
    return Words(f"{plain.means}: {name.lstrip('/')}", plain.usually) if name else None


_SPECIAL: dict[str, Callable[[Evidence], Words | None]] = {
    Kind.NULL_POINTER: explain_null,
    Kind.PAGE_FAULT: explain_fault,
    Kind.GENERAL_PROTECTION: explain_fault,
    Kind.OOPS: explain_fault,
    Kind.USE_AFTER_FREE: explain_fault,
    Kind.LIST_CORRUPTION: _list,
    Kind.UNLOADED_IN_USE: _unloaded,
    Kind.DIVIDE_ERROR: _divide,
    Kind.BUG: _stopped_itself,
    Kind.WARNING: _stopped_itself,
    Kind.STACK_OVERFLOW: _stack_overflow,
    Kind.KASAN: explain_memory,
    Kind.KFENCE: explain_memory,
    Kind.KMEMLEAK: explain_leak,
    Kind.UBSAN: _undefined,
    Kind.SCHEDULING_WHILE_ATOMIC: _sleeping,
    Kind.SLEEPING_WHILE_ATOMIC: _sleeping,
    Kind.SOFT_LOCKUP: _stuck,
    Kind.HARD_LOCKUP: _stuck,
    Kind.HUNG_TASK: _stuck,
    Kind.RCU_STALL: _stuck,
    Kind.PANIC: _panic,
    Kind.REFCOUNT: _message,
    Kind.BUFFER_OVERFLOW: _message,
    Kind.SLAB_CORRUPTION: _message,
    Kind.OBJECT_MISUSE: _object,
    Kind.LOCK_MISUSE: _message,
    Kind.LOCK_HELD: _message,
    Kind.SYSFS_DUPLICATE: _named,
    Kind.SLAB_LEAK: _named,
}
