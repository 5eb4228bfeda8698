# SPDX-License-Identifier: MIT
"""What each kind of report means in plain words, and what usually causes it: a table, no logic.

`lkm.decode.meaning` says more where the report does (which pointer, which object, where it was allocated).
"""

from __future__ import annotations

from typing import NamedTuple

from lkm.klog.report import Kind


class Words(NamedTuple):
    """`means`: one sentence without a full stop; `usually`: the usual causes, or what to look at."""

    means: str
    usually: str


_SLEEPS = (
    "msleep(), mutex_lock(), kmalloc(GFP_KERNEL) or copy_from_user() with a spinlock held, in an interrupt, "
    "in a timer, or between preempt_disable() and preempt_enable()"
)

WORDS: dict[str, Words] = {
    Kind.NULL_POINTER: Words(
        "a NULL pointer was followed",
        "what a function gave (kmalloc, a lookup) was not checked, or the pointer was never set",
    ),
    Kind.PAGE_FAULT: Words(
        "an address was accessed where no memory is",
        "a pointer that was never set, was freed, or was overwritten; an index out of bounds",
    ),
    Kind.GENERAL_PROTECTION: Words(
        "an address was followed that no pointer can have",
        "a pointer that was never set, was freed, or was overwritten",
    ),
    Kind.DIVIDE_ERROR: Words(
        "a division by zero",
        "a divisor that comes from outside (a parameter, a device, user space) was not checked",
    ),
    Kind.INVALID_OPCODE: Words(
        "the processor met bytes that are no instruction",
        "a BUG() in code without debug information, or a function pointer that points to no function",
    ),
    Kind.STACK_OVERFLOW: Words(
        "the kernel's stack ran over: a thread has only 16 KiB",
        "a function that calls itself without an end, or large local arrays: kmalloc() them",
    ),
    Kind.BUG: Words(
        "the code stopped itself with BUG()", "a condition that must never hold did; look at what it checks"
    ),
    Kind.WARNING: Words(
        "a check in the code found something wrong, and it went on (WARN)",
        "look at the condition on that line",
    ),
    Kind.PANIC: Words("the kernel gave up", "what it said before tells the cause"),
    Kind.OOPS: Words("the kernel met an error of its own", ""),
    Kind.SCHEDULING_WHILE_ATOMIC: Words(
        "code that must not sleep slept",
        _SLEEPS,
    ),
    Kind.SLEEPING_WHILE_ATOMIC: Words(
        "a function that may sleep was called where sleeping is not allowed",
        f"{_SLEEPS}; GFP_ATOMIC, or a mutex for the spinlock",
    ),
    Kind.SOFT_LOCKUP: Words(
        "a processor ran kernel code for many seconds without letting anything else run",
        "a loop that does not end, or a spinlock that nobody gives back; cond_resched() in long loops",
    ),
    Kind.HARD_LOCKUP: Words(
        "a processor was stuck for many seconds with interrupts off",
        "a loop or a spinlock that nobody gives back, with interrupts disabled",
    ),
    Kind.HUNG_TASK: Words(
        "a task waits for something that does not come",
        "a mutex that is never unlocked (an early return?), a completion that nobody completes",
    ),
    Kind.RCU_STALL: Words(
        "a processor did not pass through the scheduler for a long time, so RCU cannot go on",
        "a loop that does not end, in kernel code or within rcu_read_lock()",
    ),
    Kind.LOCK_DEADLOCK: Words(
        "a lock was taken by who holds it already: this waits for ever",
        "a function that takes a lock is called by one that holds it; a missing unlock before a return",
    ),
    Kind.LOCK_INVERSION: Words(
        "two locks are taken in different orders: one day each side waits for the other",
        "take them in one order everywhere; spin_lock_irqsave() for a lock that an interrupt takes, too",
    ),
    Kind.LOCK_HELD: Words("a lock was still held where none may be", "a return without an unlock"),
    Kind.LOCK_MISUSE: Words(
        "a lock was used wrongly",
        "unlocked without being locked, by another task, or never set up (spin_lock_init, mutex_init)",
    ),
    Kind.KASAN: Words("memory was accessed that does not belong to anybody", "an index or a size is wrong"),
    Kind.UBSAN: Words("the C code did what the language leaves undefined", "look at the values on that line"),
    Kind.KFENCE: Words("memory was accessed that does not belong to anybody", "an index or a size is wrong"),
    Kind.KCSAN: Words(
        "two threads accessed the same memory at the same time, one of them writing",
        "a lock is missing, or READ_ONCE() and WRITE_ONCE()",
    ),
    Kind.KMSAN: Words(
        "a value was used that was never set", "a variable or member that not every path sets; kzalloc()"
    ),
    Kind.KMEMLEAK: Words(
        "memory was allocated, and nothing points to it any more: it is lost",
        "a kfree() is missing, on an error path or in the exit function",
    ),
    Kind.LIST_CORRUPTION: Words(
        "the links of a list do not fit together",
        "an entry deleted or added twice, freed while in the list, or changed without the list's lock",
    ),
    Kind.REFCOUNT: Words(
        "a reference count was used after it had come to its end, or ran over",
        "a put without a get: one kref_put() or refcount_dec() too many",
    ),
    Kind.USE_AFTER_FREE: Words(
        "memory was used after it was freed",
        "a pointer that is still kept somewhere (a list, a timer, a global) after kfree()",
    ),
    Kind.DOUBLE_FREE: Words(
        "memory was freed twice",
        "two error paths, or an error path and the exit function, free the same pointer",
    ),
    Kind.INVALID_FREE: Words(
        "something was freed that is no allocation",
        "kfree() of a pointer that was moved on, of memory of vmalloc(), or of a variable",
    ),
    Kind.BAD_PAGE: Words(
        "a page of memory was freed while in use, or freed twice",
        "an unbalanced get_page() or free_page(), or a write past an allocation",
    ),
    Kind.SLAB_CORRUPTION: Words(
        "memory beside or in a freed object was overwritten",
        "a write past the end of an allocation (an off-by-one?), or a write after kfree()",
    ),
    Kind.SLAB_LEAK: Words(
        "a slab cache was destroyed while objects of it were still allocated",
        "a kmem_cache_free() is missing before kmem_cache_destroy()",
    ),
    Kind.BUFFER_OVERFLOW: Words(
        "a copy was stopped that would have gone beyond its buffer",
        "the length comes from outside and was not checked against the size of the buffer",
    ),
    Kind.STACK_CORRUPTION: Words(
        "a function wrote past the end of a local array: the stack protector found its mark overwritten",
        "an index or a length that is larger than the array",
    ),
    Kind.ALLOCATION_FAILURE: Words(
        "a large allocation found no memory", "kvmalloc() or vmalloc() for what is large; check for NULL"
    ),
    Kind.CFI: Words(
        "a function was called through a pointer of another type, or through what is no function",
        "a callback with other parameters than the type of the pointer says, or an overwritten pointer",
    ),
    Kind.IRQ_UNHANDLED: Words(
        "an interrupt came again and again and no handler took it; it was switched off",
        "the handler returns IRQ_NONE, or the device was not told that its interrupt was handled",
    ),
    Kind.OBJECT_MISUSE: Words(
        "an object of the kernel was freed or set up again while it was in use",
        "a timer or work item still pending: timer_delete_sync() or cancel_work_sync() before it is freed",
    ),
    Kind.OUT_OF_MEMORY: Words(
        "the machine ran out of memory and the kernel ended a process",
        "a loop that allocates and never frees; or the guest is small: --memory",
    ),
    Kind.UNLOADED_IN_USE: Words(
        "a module was unloaded while something of it was in use",
        "what init registered must be unregistered in exit, and waited for",
    ),
    Kind.SYSFS_DUPLICATE: Words(
        "a name was registered that is there already",
        "registered twice, or left behind by an earlier load: the exit function does not remove it",
    ),
    Kind.LEFT_BEHIND: Words(
        "a directory was removed with entries still in it",
        "remove the entries first, or the whole tree with remove_proc_subtree() or debugfs_remove()",
    ),
    Kind.STACK_TRACE: Words("the code printed where it is (dump_stack, or the kernel was asked)", ""),
}
ANYTHING = Words("the kernel reported a bug", "")

# KASAN's and KFENCE's words for what they found (mm/kasan/report_generic.c get_bug_type_string).
MEMORY_BUGS: dict[str, Words] = {
    "slab-out-of-bounds": Words(
        "beyond the end of an allocation",
        "an index or a size is wrong (an off-by-one?), or kmalloc() got too few bytes",
    ),
    "out-of-bounds": Words("beyond the end of an allocation", "an index or a size is wrong (an off-by-one?)"),
    "vmalloc-out-of-bounds": Words("beyond the end of a vmalloc() area", "an index or a size is wrong"),
    "global-out-of-bounds": Words("beyond the end of a global variable", "an index is out of bounds"),
    "stack-out-of-bounds": Words("beyond the end of a local variable", "an index is out of bounds"),
    "alloca-out-of-bounds": Words("beyond the end of a local array", "an index is out of bounds"),
    "slab-use-after-free": Words(
        "in memory that was freed already", "a pointer that is still kept somewhere after kfree()"
    ),
    "use-after-free": Words(
        "in memory that was freed already", "a pointer that is still kept somewhere after kfree()"
    ),
    "use-after-scope": Words(
        "in a local variable whose block has ended", "the address of a local variable outlives it"
    ),
    "double-free": Words("freed twice", "two paths free the same pointer"),
    "invalid-free": Words(
        "freed, but no allocation begins there", "kfree() of a pointer into the middle, or not from kmalloc()"
    ),
    "null-ptr-deref": Words("through a NULL pointer", "what a function gave was not checked"),
    "user-memory-access": Words(
        "in user space, directly", "copy_from_user() and copy_to_user() are for that"
    ),
    "wild-memory-access": Words("where no memory is", "a pointer that was never set or was overwritten"),
    "memory corruption": Words(
        "bytes beside an object were overwritten, which was noticed when it was freed",
        "a write past its end or before its beginning, after it was allocated and before this line",
    ),
    "page-use-after-free": Words("in a page that was freed already", "a pointer kept after free_page()"),
}

# What a value found where a pointer should be tells: how the sentence goes on, and the usual cause.
VALUES: dict[str, tuple[str, str]] = {
    "freed": (
        "a pointer was read from memory that was freed, and followed",
        "a structure is used after kfree(): something still points to it",
    ),
    "uninitialised": (
        "a pointer was followed that was never set",
        "kmalloc() does not clear memory: kzalloc(), or set every member",
    ),
    "slab-end": ("a pointer was read from beyond an allocation, and followed", "an index is out of bounds"),
    "init-freed": (
        "memory of __init code or data was used after it was freed",
        "a function or variable marked __init is still used once the module is loaded",
    ),
    "page-freed": ("a pointer was read from a page that was freed, and followed", "used after free_page()"),
    "stack": ("a local variable was followed that was never set", "not every path sets it"),
    "list": (
        "a list entry was used that list_del() had removed",
        "deleted twice, or list_for_each_entry() over a list whose entries are deleted meanwhile: "
        "list_for_each_entry_safe()",
    ),
    "timer": ("a timer was used that was never set up", "timer_setup() is missing"),
}

# What helps an object of the driver model, by a word of the kernel's sentence.
OBJECTS = {
    "release()": "give it a release function that frees what it is part of (kfree of the container)",
    "not initialized": "kobject_init(), device_initialize() or their like must come before",
    "initialized": "it was set up twice, or is used again after its last put",
    "on stack": "a timer or work item that is a local variable needs timer_setup_on_stack() and its like",
}
