# SPDX-License-Identifier: MIT
"""A sentence on what a report means, and one on what usually causes it, as specific as the report allows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lkm.decode.disassemble import Disassembly
from lkm.decode.pointer import NEAR_NULL, Followed
from lkm.decode.poison import Value, explain_value
from lkm.decode.value import SourceLine, Walk
from lkm.decode.words import ANYTHING, MEMORY_BUGS, OBJECTS, VALUES, WORDS, Words
from lkm.klog.report import Kind, Report

_NONE = Disassembly(())


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out about a report before it is put into words.

    `line`: the text of the source line of `place`.  `inside`: the function of the kernel's that was at work
    when it happened, called from `place`; "" where the module's own code was.  `base`: the value of the
    register that was followed.  `divisor`, `called`: as the source writes them, "" where not known.
    """

    report: Report
    place: SourceLine | None = None
    line: str = ""
    inside: str = ""
    walks: tuple[Walk, ...] = ()
    disassembly: Disassembly = _NONE
    followed: Followed | None = None
    base: int | None = None
    divisor: str = ""
    called: str = ""


def explain(evidence: Evidence) -> Words:
    """What a report means and what usually causes it."""
    special = _SPECIAL.get(evidence.report.kind)
    words = special(evidence) if special is not None else None
    return words or WORDS.get(evidence.report.kind, ANYTHING)


def _null_pointer(evidence: Evidence) -> Words | None:
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


def _page_fault(evidence: Evidence) -> Words | None:
    report = evidence.report
    if report.access == "execute" or _is_nowhere(report):
        return _executed(evidence)
    what = _value(evidence)
    expression = f": `{evidence.followed.expression}`" if evidence.followed else ""
    if what is not None and what.name == "error":
        return _error(evidence, what)
    if what is not None and what.name in VALUES:
        means, usually = VALUES[what.name]
        return Words(f"{means}{expression}; {what.text}", usually)
    if what is not None and what.name in {"null", "near-null"}:
        return _null_pointer(evidence)
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


def _is_nowhere(report: Report) -> bool:
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


def _executed(evidence: Evidence) -> Words:
    report = evidence.report
    address = f"{report.address:#x}" if report.address is not None else "it"
    if report.address is not None and report.address < NEAR_NULL:
        return _null_pointer(evidence) or WORDS[Kind.NULL_POINTER]
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


def _unloaded(evidence: Evidence) -> Words | None:
    return _executed(evidence) if _is_nowhere(evidence.report) else _named(evidence)


def _list(evidence: Evidence) -> Words | None:
    return _page_fault(evidence) if evidence.report.address is not None else _message(evidence)


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


def _memory(evidence: Evidence) -> Words | None:
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
        return _null_pointer(evidence)
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


def _leak(evidence: Evidence) -> Words | None:
    size, place = evidence.report.size, evidence.place
    if not size or place is None:
        return None
    return Words(
        f"{size} bytes that {place.function}() allocated were lost: nothing points to them any more",
        WORDS[Kind.KMEMLEAK].usually,
    )


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
    Kind.NULL_POINTER: _null_pointer,
    Kind.PAGE_FAULT: _page_fault,
    Kind.GENERAL_PROTECTION: _page_fault,
    Kind.OOPS: _page_fault,
    Kind.USE_AFTER_FREE: _page_fault,
    Kind.LIST_CORRUPTION: _list,
    Kind.UNLOADED_IN_USE: _unloaded,
    Kind.DIVIDE_ERROR: _divide,
    Kind.BUG: _stopped_itself,
    Kind.WARNING: _stopped_itself,
    Kind.STACK_OVERFLOW: _stack_overflow,
    Kind.KASAN: _memory,
    Kind.KFENCE: _memory,
    Kind.KMEMLEAK: _leak,
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
