# SPDX-License-Identifier: MIT
"""Where a guest hangs, and in which way: judged from what its kernel, its agent and its processors show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lkm.guest.value import Detail, End, Ending

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Processor:
    """One processor at one moment, as QEMU knows it: no kernel has to answer for that."""

    interrupts: bool
    halted: bool
    user: bool = False

    @property
    def free(self) -> bool:
        """Whether it could run any process: it waits for one, or runs one."""
        return self.user or (self.halted and self.interrupts)


@dataclass(frozen=True, slots=True)
class Place:
    """One frame: `text` as the kernel prints it."""

    symbol: str
    module: str
    text: str


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames, the innermost first.  `state` of its process (/proc/PID/stat), "" for a processor's."""

    places: tuple[Place, ...]
    state: str = ""


_REGISTERS = re.compile(r"\bRFL=([0-9a-f]+) .*\bCPL=([0-3]) .*\bHLT=([01])")
_IF = 0x200  # the interrupt flag of EFLAGS
# "RIP: 0010:loops_init+0x11/0x1000 [loops]", " do_one_initcall+0x59/0x220".
# One with a question mark was only found on the stack; 0033 is user space.
_FRAME = re.compile(r"^(RIP: 0010:| +)((?!\d)[\w.]+)(\+0x[0-9a-f]+/0x[0-9a-f]+)(?: \[(\w+)[^]]*\])?$")
# Before each processor's own: lib/nmi_backtrace.c; the panic's own begins with `CPU: `.
# Each process's: SysRq w (kernel/sched/core.c, sched_show_task), and the agent in its words (agent/where.c).
_NEXT_STACK = re.compile(r"^(NMI backtrace for cpu |CPU: |Call Trace:|task:)")
_STATE = re.compile(r"^task:.*\bstate:(\w)")

_LOCKS = re.compile(
    r"^(_raw_(spin|read|write)_lock.*|do_raw_(spin|read|write)_lock|.*queued_(spin|read|write)_lock_slowpath"
    r"|(__)?mutex_lock.*|ww_mutex_lock.*|(rt_)?(mutex|spin)_(slow|rt)?_?lock.*|rwsem_down.*|down(_\w+)?"
    r"|_*down(_\w+)?|percpu_down_\w+|rwbase_\w*lock\w*|osq_lock)(\.\w+)*$"
)
_PRINTS = re.compile(r"^(_?v?printk\w*|vprintk_\w+|console_unlock|_dev_\w+)(\.\w+)*$")
# The first code of each interrupt: arch/x86/include/asm/idtentry.h
_INTERRUPTED = re.compile(r"^asm_(sysvec_|common_interrupt)")
# What the frames outside of the module's say of how it came to run; the first that is met.
_CONTEXTS = (
    ("timer", re.compile(r"^(call_timer_fn|expire_timers|__run_timers?\w*|__hrtimer_run_queues)\b")),
    ("tasklet", re.compile(r"^tasklet_(hi_)?action")),
    ("interrupt", re.compile(r"^(__)?handle_irq_event")),
    ("softirq", re.compile(r"^(handle_softirqs|__do_softirq)\b")),
    ("init", re.compile(r"^(do_one_initcall|do_init_module)\b")),
    ("exit", re.compile(r"^(__do_sys_|__se_sys_|__x64_sys_)?delete_module\b")),
    ("work", re.compile(r"^process_one_work\b")),
    ("thread", re.compile(r"^kthread\b")),
    ("system call", re.compile(r"^(do_syscall_64|x64_sys_call|invoke_syscall)\b")),
)


def parse_registers(text: str) -> list[Processor]:
    """`info registers -a` of QEMU's monitor."""
    found = [match for line in text.splitlines() if (match := _REGISTERS.search(line))]
    return [Processor(bool(int(one[1], 16) & _IF), one[3] == "1", one[2] == "3") for one in found]


def parse_stacks(lines: Iterable[str]) -> list[Stack]:
    """The stacks in a log: of processors (an NMI, a panic) and of processes (the agent).

    A processor's registers come before its `Call Trace:` or, where it panicked, within; what its NMI itself
    was doing (`<NMI>`) is left out.
    """
    stacks: list[tuple[str, list[Place]]] = []
    places: list[Place] = []
    in_nmi = False
    for line in lines:
        if _NEXT_STACK.match(line):
            state = match[1] if (match := _STATE.match(line)) else ""
            if line != "Call Trace:":
                places = []
                stacks.append((state, places))
            elif not stacks:
                stacks.append(("", places))
            in_nmi = False
        elif line.strip() in {"<NMI>", "</NMI>"}:
            in_nmi = line.strip() == "<NMI>"
        elif (match := _FRAME.match(line)) and (not in_nmi or match[1].startswith("RIP")):
            module = match[4] or ""
            text = f"{match[2]}{match[3]}" + (f" [{module}]" if module else "")
            if not places or places[-1].text != text:
                places.append(Place(match[2], module, text))
    return [Stack(tuple(found), state) for state, found in stacks if found or state]


def is_deaf(moments: Sequence[Sequence[Processor]]) -> bool:
    """Whether one processor had its interrupts off each time: one look alone may meet it in a handler."""
    each = zip(*moments, strict=False)
    return bool(moments) and any(all(not one.interrupts for one in processor) for processor in each)


def judge_hang(
    told: Sequence[Stack],
    logged: Sequence[Stack],
    moments: Sequence[Sequence[Processor]],
    *,
    prints: bool,
) -> Ending:
    """How a guest hangs.

    `told`: stacks by its agent, the call's own first; `logged`: by its kernel, which has the functions of
    locks where the agent cannot see them.  `moments`: its processors, looked at some times.  `prints`: its
    log was growing.
    """
    blocked = any(stack.state == "D" for stack in logged)
    stack = _most_telling([*(one for one in told if not (blocked and one.state == "D")), *logged])
    index = _own(stack)
    places = stack.places if stack else ()
    above = places if index is None else places[:index]
    interrupted = _any(_INTERRUPTED, above)
    inner = _without_interrupt(above)
    idle = bool(moments) and all(one.halted for moment in moments for one in moment)
    state = stack.state if stack else ""
    where = places[index or 0].text if places and (index is not None or state or not idle) else ""
    context = "" if index is None else _context(places[index + 1 :])
    if state in {"S", "D"}:
        detail = Detail.LOCK if _any(_LOCKS, inner) else Detail.ASLEEP
    elif prints and (not places or _any(_PRINTS, inner)):
        detail = Detail.FLOOD
    elif _any(_LOCKS, inner):
        detail = Detail.LOCK
    elif is_deaf(moments) and places and not interrupted:
        detail = Detail.INTERRUPTS_OFF
    elif idle:
        detail = Detail.ASLEEP
    elif prints:
        detail = Detail.FLOOD
    else:  # what is in no module may just have been slow: a busy host
        detail = Detail.NONE if index is None else Detail.LOOPING
    return Ending(End.HANG, detail, where, context)


def _most_telling(stacks: Sequence[Stack]) -> Stack | None:
    """The one that runs a module's code, the nearer the better; else the call's own, which comes first."""

    def rank(stack: Stack) -> tuple[bool, bool, bool, int]:
        index = _own(stack)
        # Who sleeps waits perhaps for the one that runs, never the other way round.
        sleeps = index is not None and stack.state in {"S", "D"}
        # Of those that sleep, the load or unload does not come back; a thread may be meant to sleep.
        other = index is not None and _context(stack.places[index + 1 :]) not in {"init", "exit"}
        return index is None, sleeps, sleeps and other, index or 0

    return min(stacks, key=rank, default=None)


def _own(stack: Stack | None) -> int | None:
    """Index of the innermost frame in a module."""
    places = stack.places if stack else ()
    return next((index for index, place in enumerate(places) if place.module), None)


def _context(outer: Sequence[Place]) -> str:
    for place in outer:
        for name, pattern in _CONTEXTS:
            if pattern.match(place.symbol):
                return name
    return ""


def _without_interrupt(places: Sequence[Place]) -> Sequence[Place]:
    """What was called before an interrupt came: a handler takes locks of its own."""
    entries = [index for index, place in enumerate(places) if _INTERRUPTED.match(place.symbol)]
    return places[entries[-1] + 1 :] if entries else places


def _any(pattern: re.Pattern[str], places: Iterable[Place]) -> bool:
    return any(pattern.match(place.symbol) for place in places)
