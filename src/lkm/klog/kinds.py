# SPDX-License-Identifier: MIT
"""The sentences that begin a kernel's reports, one row each: a table, no logic.

A pattern is matched against a line without the white space around it.  Its named groups become fields of
the report (`address`, `size`, `access`, `cpu`, `pid`, `comm`, `path` and `line`, `at`); all others become
its details, by their names.
"""

from __future__ import annotations

from dataclasses import dataclass

from lkm.klog.frame import PLACE
from lkm.klog.lazy import LazyPattern
from lkm.klog.report import Kind

_HEX = r"(?:0x)?(?P<address>[0-9a-f]{4,16})"
_AT = rf"(?P<at>{PLACE})"
_TASK = r"(?P<comm>.{1,32}?)[/:](?P<pid>\d+)"
# A command's name, which may hold a blank; tried on every line of a log, so no lazy match of anything.
_COMM = r"(?P<comm>[\w./:+-]{1,32}(?: [\w./:+-]{1,16})?)"
_WHERE = r"(?P<path>[^\s:]\S{0,4095}?):(?P<line>\d{1,9})"


@dataclass(frozen=True, slots=True)
class Start:
    """A sentence that begins a report.

    `joins`: it goes on with a report whose registers and traces have not come yet, as `Oops: 0002 [#1]`
    after `BUG: kernel NULL pointer dereference`.  `sentence`: it may be what a WARNING or a BUG says of
    itself, before or after that line.  `dump`: a trace that any report may hold.  `whole`: it is all.
    """

    kind: Kind
    pattern: LazyPattern
    joins: bool = False
    sentence: bool = False
    dump: bool = False
    whole: bool = False


def _start(
    kind: Kind, pattern: str, *, joins: bool = False, sentence: bool = False, dump: bool = False
) -> Start:
    return Start(kind, LazyPattern(pattern), joins, sentence, dump)


def _whole(kind: Kind, pattern: str) -> Start:
    return Start(kind, LazyPattern(pattern), whole=True)


def _joins(kind: Kind, pattern: str) -> Start:
    return _start(kind, pattern, joins=True)


def _says(kind: Kind, pattern: str) -> Start:
    return _start(kind, pattern, sentence=True)


_FAULTS = (
    # arch/x86/mm/fault.c show_fault_oops; "unable to handle kernel" until 4.x
    _start(Kind.NULL_POINTER, rf"BUG: kernel NULL pointer dereference, address: {_HEX}"),
    _start(
        Kind.NULL_POINTER, rf"BUG: unable to handle kernel NULL pointer dereference at +(?:\(null\)|{_HEX})"
    ),
    _start(Kind.PAGE_FAULT, rf"BUG: unable to handle page fault for address: {_HEX}"),
    _start(Kind.PAGE_FAULT, rf"BUG: unable to handle kernel paging request at +{_HEX}"),
    # arch/arm64/mm/fault.c die_kernel_fault
    _start(
        Kind.NULL_POINTER,
        rf"Unable to handle kernel NULL pointer dereference at virtual address {_HEX}",
    ),
    _start(Kind.PAGE_FAULT, rf"Unable to handle kernel (?P<fault>.{{1,80}}?) at virtual address {_HEX}"),
    # arch/x86/kernel/traps.c exc_general_protection, do_error_trap; the word "Oops: " since 6.12
    _joins(
        Kind.GENERAL_PROTECTION,
        r"(?:Oops: )?(?:segment-related )?general protection fault"
        rf"(?:, (?P<guess>probably|maybe) for (?:non-canonical )?address {_HEX})?"
        r"(?:: (?P<error_code>[0-9a-f]{4,8}) \[#(?P<oops>\d+)\])?",
    ),
    _joins(
        Kind.DIVIDE_ERROR,
        r"(?:Oops: )?divide error: (?P<error_code>[0-9a-f]{4,8}) \[#(?P<oops>\d+)\]",
    ),
    _joins(
        Kind.INVALID_OPCODE,
        r"(?:Oops: )?invalid opcode: (?P<error_code>[0-9a-f]{4,8}) \[#(?P<oops>\d+)\]",
    ),
    _start(Kind.STACK_OVERFLOW, r"BUG: (?P<stack>.{0,24}?)stack guard page was hit at"),
    _start(Kind.STACK_OVERFLOW, r"BUG: kernel stack overflow"),
    _start(Kind.STACK_OVERFLOW, r"Insufficient stack space to handle exception!"),
    _joins(
        Kind.STACK_OVERFLOW,
        r"(?:Oops: )?(?:stack guard page|kernel stack overflow[^:]{0,40}|double fault): "
        r"(?P<error_code>[0-9a-f]{4,8}) \[#(?P<oops>\d+)\]",
    ),
    _start(Kind.STACK_OVERFLOW, r"(?:traps: )?PANIC: double fault, error_code: 0x(?P<error_code>[0-9a-f]+)"),
    _start(Kind.BUG, rf"[kK]ernel BUG at {_WHERE}!", joins=True),
    _start(Kind.BUG, rf"[kK]ernel BUG at {_AT} \[verbose debug info unavailable\]", joins=True),
    # arch/x86/mm/fault.c page_fault_oops (`Oops: 0002 [#1]`), arch/arm64/kernel/traps.c __die
    _joins(Kind.BUG, r"Internal error: Oops - BUG: (?P<esr>[0-9a-f]+) \[#(?P<oops>\d+)\]"),
    _joins(
        Kind.INVALID_OPCODE,
        r"Internal error: Oops - [Uu]ndefined instruction: (?P<esr>[0-9a-f]+) \[#(?P<oops>\d+)\]",
    ),
    _joins(Kind.CFI, r"Internal error: Oops - CFI: (?P<esr>[0-9a-f]+) \[#(?P<oops>\d+)\]"),
    _joins(
        Kind.OOPS,
        r"Internal error: (?:Oops|(?P<fault>[^\[]{1,80})): (?P<esr>[0-9a-f]+) \[#(?P<oops>\d+)\]",
    ),
    _joins(Kind.OOPS, r"(?:Oops: ){1,2}(?P<error_code>[0-9a-f]{4}) \[#(?P<oops>\d+)\]"),
    _joins(
        Kind.OOPS, r"(?:Oops: )?[a-z][\w -]{1,40}: (?P<error_code>[0-9a-f]{4}) \[#(?P<oops>\d+)\] ?[A-Z ]*$"
    ),
    _start(Kind.OOPS, r"SError Interrupt on CPU(?P<cpu>\d+), code 0x(?P<esr>[0-9a-f]+)"),
)

_SANITIZERS = (
    _start(Kind.KASAN, rf"BUG: KASAN: (?P<bug>[\w -]{{1,60}}?) (?:in|on) {_AT}"),
    _start(Kind.KASAN, r"BUG: KASAN: (?P<bug>[\w -]{1,60})"),
    _start(Kind.KFENCE, rf"BUG: KFENCE: (?P<bug>[\w -]{{1,60}}?) in {_AT}"),
    _start(Kind.KFENCE, r"BUG: KFENCE: (?P<bug>[\w -]{1,60})"),
    _start(
        Kind.KCSAN,
        r"BUG: KCSAN: (?P<bug>[\w: -]{1,60}?) in (?P<first>[\w.$]+(?: \[[\w-]+\])?) "
        r"/ (?P<second>[\w.$]+(?: \[[\w-]+\])?)",
    ),
    _start(Kind.KCSAN, rf"BUG: KCSAN: (?P<bug>[\w: -]{{1,60}}?) in {_AT}"),
    _start(Kind.KMSAN, rf"BUG: KMSAN: (?P<bug>[\w -]{{1,60}}?) in {_AT}"),
    _start(Kind.UBSAN, rf"UBSAN: (?P<bug>[\w /-]{{1,60}}?) in {_WHERE}(?::(?P<column>\d+))?$"),
    # CONFIG_UBSAN_TRAP: lib/ubsan.c report_ubsan_failure, arch/x86/kernel/traps.c handle_bug
    _start(Kind.UBSAN, r"Internal error: UBSAN: (?P<bug>[\w /-]{1,60}?): .*\[#(?P<oops>\d+)\]"),
    _start(Kind.UBSAN, rf"UBSAN: (?P<bug>[\w /-]{{1,60}}?) at {_AT}"),
    # mm/kmemleak.c print_unreferenced (also in the log with kmemleak=… verbose), kmemleak_scan
    _start(
        Kind.KMEMLEAK,
        r"(?:kmemleak: )?unreferenced object (?:percpu )?"
        rf"{_HEX} \(size (?P<size>\d+)\):",
    ),
    _whole(
        Kind.KMEMLEAK,
        r"kmemleak: (?P<leaks>\d+) new suspected memory leaks \(see /sys/kernel/debug/kmemleak\)",
    ),
)

_LOCKS = (
    _start(Kind.SCHEDULING_WHILE_ATOMIC, rf"BUG: scheduling while atomic: {_TASK}/(?P<preempt_count>\w+)"),
    _start(Kind.SCHEDULING_WHILE_ATOMIC, rf"BUG: scheduling in a non-blocking section: {_TASK}/"),
    _start(Kind.SLEEPING_WHILE_ATOMIC, rf"BUG: sleeping function called from invalid context at {_WHERE}$"),
    _start(Kind.SLEEPING_WHILE_ATOMIC, r"BUG: sleeping function called from invalid context"),
    # kernel/locking/lockdep.c; "[ INFO: … ]" until 4.10
    _start(
        Kind.LOCK_DEADLOCK,
        r"(?:WARNING:|\[ INFO:) possible recursive locking detected",
    ),
    _start(
        Kind.LOCK_INVERSION,
        r"(?:WARNING:|\[ INFO:) possible circular locking dependency detected",
    ),
    _start(
        Kind.LOCK_INVERSION,
        r"(?:WARNING:|\[ INFO:) possible irq lock inversion dependency detected",
    ),
    _start(
        Kind.LOCK_INVERSION,
        r"(?:WARNING:|\[ INFO:) \S+-safe -> \S+-unsafe lock order detected",
    ),
    _start(Kind.LOCK_INVERSION, r"(?:WARNING:|\[ INFO:) inconsistent lock state"),
    _start(Kind.LOCK_HELD, r"(?:WARNING:|\[ BUG:) lock held when returning to user space!"),
    _start(Kind.LOCK_HELD, rf"(?:WARNING:|\[ BUG:) {_TASK} still has locks held!"),
    _start(Kind.LOCK_MISUSE, r"(?:WARNING:|\[ BUG:) held lock freed!"),
    _start(Kind.LOCK_HELD, r"BUG: workqueue leaked (?:atomic|lock)[^:]*: (?P<comm>.{1,32}?)\[(?P<pid>\d+)\]"),
    _start(
        Kind.LOCK_HELD,
        rf"BUG: workqueue leaked lock or atomic: {_TASK}",
    ),
    _start(Kind.LOCK_MISUSE, r"(?:WARNING:|\[ BUG:) bad (?:unlock balance|contention) detected!"),
    _start(Kind.LOCK_MISUSE, r"(?:WARNING:|\[ INFO:|INFO:) suspicious RCU usage"),
    _start(Kind.LOCK_MISUSE, r"(?:WARNING:|\[ BUG:) (?:Nested lock was not taken|chain_key collision)"),
    _start(Kind.LOCK_MISUSE, r"\[ BUG: Invalid wait context \]"),
    _start(Kind.LOCK_MISUSE, r"INFO: trying to register non-static key\."),
    _start(Kind.LOCK_MISUSE, r"BUG: key \S+ (?:has not been registered|not in \.data)!"),
    _says(Kind.LOCK_MISUSE, r"DEBUG_LOCKS_WARN_ON\((?P<condition>.*)\)"),
    # kernel/locking/spinlock_debug.c spin_dump
    _start(
        Kind.LOCK_DEADLOCK,
        rf"BUG: (?:spin|rw)lock (?:recursion|lockup) (?:suspected )?on CPU#(?P<cpu>\d+), {_TASK}",
    ),
    _start(
        Kind.LOCK_MISUSE,
        rf"BUG: (?:spin|rw)lock (?P<bug>[\w -]{{1,40}}?) on CPU#(?P<cpu>\d+), {_TASK}",
    ),
)

_STALLS = (
    _start(
        Kind.SOFT_LOCKUP,
        r"(?:(?:NMI )?watchdog: )?BUG: soft lockup - CPU#(?P<cpu>\d+) stuck for (?P<seconds>\d+)s! "
        r"\[(?P<comm>.{0,32}?):(?P<pid>\d+)\]",
    ),
    _start(
        Kind.HARD_LOCKUP,
        r"(?:(?:NMI )?watchdog: )?(?:CPU\d+: )?Watchdog detected hard LOCKUP on cpu (?P<cpu>\d+)",
    ),
    _start(
        Kind.HUNG_TASK,
        r"INFO: task (?P<comm>.{1,32}?):(?P<pid>\d+) (?:<[^>]*> )?blocked "
        r"(?:in I/O wait )?for more than (?P<seconds>\d+) seconds\.",
    ),
    _start(
        Kind.RCU_STALL,
        r"(?:rcu: )?INFO: (?P<flavour>rcu\w*) (?:self-)?detected (?:expedited )?stalls? ?"
        r"(?:on|\?|,)",
    ),
    _start(Kind.SOFT_LOCKUP, r"BUG: workqueue lockup - pool"),
)

_MEMORY = (
    _says(
        Kind.LIST_CORRUPTION,
        r"list_(?:add|del) (?P<bug>corruption|double add)[.:, (]",
    ),
    _says(Kind.REFCOUNT, r"refcount_t: (?P<bug>[^.]{1,60})"),
    _says(Kind.REFCOUNT, r"percpu ref \(.*\) <= 0 \(.*\) after (?:switching to atomic|switch to atomic)"),
    _start(
        Kind.BAD_PAGE, r"BUG: Bad page (?:state|map) in process (?P<comm>.{1,32}?)  ?(?:pfn|pte):(?P<pfn>\w+)"
    ),
    _start(Kind.BAD_PAGE, r"BUG: Bad (?P<bug>page cache|rss-counter state)"),
    # mm/slub.c __slab_bug
    _start(
        Kind.SLAB_LEAK,
        r"BUG (?P<cache>.{1,64}?) \([^)]{0,40}\): (?P<bug>Objects remaining .*)",
    ),
    _start(
        Kind.DOUBLE_FREE,
        r"BUG (?P<cache>.{1,64}?) \([^)]{0,40}\): (?P<bug>Object already free)",
    ),
    _start(
        Kind.SLAB_CORRUPTION,
        r"BUG (?P<cache>[^\s:][^:]{0,63}?) \((?:Tainted|Not tainted)[^)]{0,40}\): "
        r"(?P<bug>.{1,120})",
    ),
    _says(
        Kind.SLAB_LEAK,
        r"kmem_cache_destroy (?P<cache>\S+): Slab cache still has objects",
    ),
    _says(Kind.INVALID_FREE, rf"Trying to vfree\(\) (?P<bug>nonexistent vm area|bad address) \({_HEX}\)"),
    _says(
        Kind.BUFFER_OVERFLOW,
        r"(?P<function>\w{1,40}): detected (?P<bug>buffer overflow|field-spanning write)"
        r"(?:: (?P<size>\d+) byte (?P<access>read|write))?",
    ),
    # include/linux/thread_info.h copy_overflow
    _says(Kind.BUFFER_OVERFLOW, r"Buffer overflow detected \((?P<available>\d+) < (?P<count>\d+)\)!"),
    _says(Kind.BUFFER_OVERFLOW, r"detected (?P<bug>buffer overflow) in (?P<function>\w{1,40})"),
    _says(Kind.BUFFER_OVERFLOW, r"usercopy: (?P<bug>Kernel memory (?:exposure|overwrite) attempt) detected"),
    _start(
        Kind.OUT_OF_MEMORY,
        rf"{_COMM} invoked oom-killer: "
        r"gfp_mask=(?P<gfp>[^,]{1,200}), order=(?P<order>-?\d+)",
    ),
    _whole(
        Kind.OUT_OF_MEMORY,
        r"(?:Out of memory|Memory cgroup out of memory)[^:]{0,60}: Kill(?:ed)? process "
        r"(?P<victim_pid>\d+) \((?P<victim>.{1,32}?)\)",
    ),
    _start(
        Kind.ALLOCATION_FAILURE,
        rf"{_COMM}: (?:page allocation failure|vmalloc error)"
        r"(?:: order:(?P<order>\d+), mode:(?P<gfp>[^,]{1,200}))?",
    ),
)

_OBJECTS = (
    _says(
        Kind.OBJECT_MISUSE,
        r"ODEBUG: (?P<bug>.{1,60}?) \((?P<state>active state \d+)\) (?:object: \S+ )?object type: "
        rf"(?P<object_type>\S+)(?: hint: (?P<hint>{PLACE}))?",
    ),
    _start(Kind.OBJECT_MISUSE, r"ODEBUG: object \S+ is (?P<bug>(?:NOT )?on stack)"),
    _says(Kind.OBJECT_MISUSE, r"kobject: '(?P<object>[^']{0,64})' \(\S+\): is not initialized, yet"),
    _says(
        Kind.OBJECT_MISUSE,
        r"kobject: '(?P<object>[^']{0,64})' \(\S+\): does not have a release\(\) function",
    ),
    _says(
        Kind.OBJECT_MISUSE,
        r"Device '(?P<object>[^']{0,64})' does not have a release\(\) function, it is broken",
    ),
    _start(
        Kind.OBJECT_MISUSE,
        r"kobject:? ?(?:'(?P<object>[^']{0,64})' )?\(\S+\): (?:tried to|attempted to|invalid|must)",
    ),
    _start(Kind.OBJECT_MISUSE, r"kobject: kobject '(?P<object>[^']{0,64})' \(\S+\): tried to add an uninit"),
    _start(Kind.OBJECT_MISUSE, r"kobject: kobject \(\S+\): tried to init an initialized object"),
    _start(Kind.SYSFS_DUPLICATE, r"sysfs: cannot create duplicate filename '(?P<name>[^']*)'"),
    _whole(
        Kind.SYSFS_DUPLICATE,
        r"(?:kobject: )?kobject_add_internal failed for (?P<name>\S+) with -EEXIST",
    ),
    _says(Kind.SYSFS_DUPLICATE, r"proc_dir_entry '(?P<name>[^']*)' already registered"),
    _whole(
        Kind.SYSFS_DUPLICATE,
        r"debugfs: (?:File|Directory|'(?P<name>[^']*)' already|(?:\w+ )?'(?P<entry>[^']*)'.*already present)",
    ),
    _says(
        Kind.LEFT_BEHIND,
        r"remove_proc_entry: removing non-empty directory '(?P<name>[^']*)', "
        r"leaking at least '(?P<leaked>[^']*)'",
    ),
    _whole(
        Kind.UNLOADED_IN_USE,
        r"unregister_netdevice: waiting for (?P<name>\S+) to become free\. Usage count = (?P<count>\d+)",
    ),
    _joins(Kind.CFI, rf"CFI failure at {_AT}"),
    _says(Kind.CFI, rf"(?:traps: )?Missing ENDBR: (?P<target>{PLACE})"),
    _start(Kind.IRQ_UNHANDLED, r"irq (?P<irq>\d+): nobody cared"),
)

_GENERAL = (
    # kernel/panic.c __warn; the newest form names the processor last
    _joins(
        Kind.WARNING,
        rf"WARNING: CPU: (?P<cpu>\d+) PID: (?P<pid>\d+) at {_WHERE}(?: {_AT})?",
    ),
    _joins(Kind.WARNING, rf"WARNING: CPU: (?P<cpu>\d+) PID: (?P<pid>\d+) at {_AT}"),
    _joins(
        Kind.WARNING,
        rf"WARNING: {_WHERE} at (?P<at>{PLACE}|[\w.$]+(?:\+0x[0-9a-f]+)?), CPU#(?P<cpu>\d+): {_TASK}$",
    ),
    _joins(Kind.WARNING, rf"WARNING: at {_WHERE}(?: {_AT})?"),
    _joins(Kind.WARNING, r"WARNING: CPU: (?P<cpu>\d+) PID: (?P<pid>\d+)"),
    _start(Kind.STACK_CORRUPTION, r"Kernel panic - not syncing: (?P<panic>stack-protector: .*)"),
    _start(Kind.PANIC, r"Kernel panic - not syncing: (?P<panic>.*)"),
    _start(Kind.BUG, r"BUG: .*"),
)

_DUMPS = (
    _start(Kind.STACK_TRACE, r"NMI backtrace for cpu (?P<cpu>\d+)(?! skipped)", dump=True),
    _start(Kind.STACK_TRACE, r"CPU: \d+ (?:UID: \d+ )?PID: \d+", dump=True),
    _start(Kind.STACK_TRACE, r"(?:Pid: \d+, comm: )", dump=True),
    _start(Kind.STACK_TRACE, r"Call [Tt]race:", dump=True),
    _start(Kind.STACK_TRACE, r"task:\S.{0,31} +state:[A-Za-z]", dump=True),
)

STARTS: tuple[Start, ...] = (
    *_FAULTS,
    *_SANITIZERS,
    *_LOCKS,
    *_STALLS,
    *_MEMORY,
    *_OBJECTS,
    *_GENERAL,
    *_DUMPS,
)
