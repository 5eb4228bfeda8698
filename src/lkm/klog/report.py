# SPDX-License-Identifier: MIT
"""What a kernel's report says, as values: an oops, a warning, a sanitizer's finding, a stall, a trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a report is about."""

    NULL_POINTER = "null-pointer"
    PAGE_FAULT = "page-fault"
    GENERAL_PROTECTION = "general-protection"
    DIVIDE_ERROR = "divide-error"
    INVALID_OPCODE = "invalid-opcode"
    STACK_OVERFLOW = "stack-overflow"
    BUG = "bug"
    WARNING = "warning"
    PANIC = "panic"
    OOPS = "oops"  # one of another sort
    SCHEDULING_WHILE_ATOMIC = "scheduling-while-atomic"
    SLEEPING_WHILE_ATOMIC = "sleeping-while-atomic"
    SOFT_LOCKUP = "soft-lockup"
    HARD_LOCKUP = "hard-lockup"
    HUNG_TASK = "hung-task"
    RCU_STALL = "rcu-stall"
    LOCK_DEADLOCK = "lock-deadlock"
    LOCK_INVERSION = "lock-inversion"
    LOCK_HELD = "lock-held"
    LOCK_MISUSE = "lock-misuse"  # lockdep's and the lock debugging's other findings
    KASAN = "kasan"
    UBSAN = "ubsan"
    KFENCE = "kfence"
    KCSAN = "kcsan"
    KMSAN = "kmsan"
    KMEMLEAK = "kmemleak"
    LIST_CORRUPTION = "list-corruption"
    REFCOUNT = "refcount"
    USE_AFTER_FREE = "use-after-free"
    DOUBLE_FREE = "double-free"
    INVALID_FREE = "invalid-free"  # of what was not allocated, not so, or is no more
    BAD_PAGE = "bad-page"
    SLAB_CORRUPTION = "slab-corruption"
    SLAB_LEAK = "slab-leak"  # a slab cache destroyed while objects of it are in use
    BUFFER_OVERFLOW = "buffer-overflow"  # found by a checked memcpy, strcpy or copy_to_user
    STACK_CORRUPTION = "stack-corruption"  # found by the stack protector
    ALLOCATION_FAILURE = "allocation-failure"
    CFI = "cfi"  # an indirect call to what is no such function
    IRQ_UNHANDLED = "irq-unhandled"
    OBJECT_MISUSE = "object-misuse"  # debug objects: an active timer freed, a work item set up twice
    OUT_OF_MEMORY = "out-of-memory"
    UNLOADED_IN_USE = "unloaded-in-use"
    SYSFS_DUPLICATE = "sysfs-duplicate"  # in procfs and debugfs, too
    LEFT_BEHIND = "left-behind"  # a directory of /proc removed with entries in it
    STACK_TRACE = "stack-trace"  # a trace that no report led to (dump_stack, SysRq, an NMI)


@dataclass(frozen=True, slots=True)
class Frame:
    """One place in code as the kernel prints it: `hello_init+0x15/0x40 [hello]`.

    `offset` and `size` are bytes, None where only an address was printed.  `module` is "" for the kernel's
    own code.  `reliable` is False for what stood on the stack without being a proved caller (`? symbol`).
    `address` is None where the log has none.  `interrupted`: the processor was there as an interrupt came (a
    `RIP:` within a trace), while other places of a trace are those that a call returns to.
    """

    symbol: str
    offset: int | None = None
    size: int | None = None
    module: str = ""
    reliable: bool = True
    address: int | None = None
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """A stack trace, the innermost frame first; `title` says whose (`Call Trace`, `Allocated by task 45`)."""

    title: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """The bytes around the faulting instruction (`Code:`); `at` is that instruction's index in `data`."""

    data: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Place:
    """A source line as the kernel itself named it (`kernel BUG at hello.c:12!`)."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Report:
    """One report found in a log.

    `title`: the kernel's own sentence.  `first`, `last`: indexes of its first and last record in the sequence
    that was parsed.  `at`: where the processor was (RIP, pc).  `address`: that was accessed (CR2, FAR), None
    where the report names none; `access`: `read`, `write`, `execute` or "".  `size`: bytes accessed.
    `registers`: name in lower case to value.  `cpu`, `pid`: -1 where not said.  `release`, `taint` (letters)
    and `arch` (`x86_64`, `aarch64`, "") as the report says them.  `modules`: those linked in.  `details`:
    what else this kind of report names (a slab cache, a lock, seconds stuck), by name.  `complete`: False
    where the log ended within the report.
    """

    kind: Kind
    title: str
    first: int
    last: int
    at: Frame | None = None
    place: Place | None = None
    address: int | None = None
    access: str = ""
    size: int | None = None
    registers: Mapping[str, int] = field(default_factory=dict)
    code: Code | None = None
    traces: tuple[Trace, ...] = ()
    cpu: int = -1
    pid: int = -1
    comm: str = ""
    release: str = ""
    taint: str = ""
    arch: str = ""
    modules: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
