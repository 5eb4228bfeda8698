# SPDX-License-Identifier: MIT
"""What stands in the body of a report besides frames and registers: a table of patterns, no logic.

Named groups become fields and details of the report as those of `kinds` do; what the first line of a kind
said is not overwritten.
"""

from __future__ import annotations

from lkm.klog.frame import PLACE
from lkm.klog.lazy import LazyPattern

_HEX = r"(?:0x)?(?P<address>[0-9a-f]{4,16})"

# Every report: kernel/printk/printk.c dump_stack_print_info, kernel/module print_modules, kernel/panic.c.
CPU = LazyPattern(
    r"CPU: (?P<cpu>\d+) (?:UID: \d+ )?PID: (?P<pid>\d+)"
    r"(?: Comm: (?P<comm>.{0,32}?)"
    r"(?: (?:Kdump: loaded )?(?:Not tainted|Tainted: ?(?P<taint>[A-Z ]*)) *(?P<release>\d\S*)?.*)?)?$"
)
PID = LazyPattern(
    r"Pid: (?P<pid>\d+), comm: (?P<comm>\S{1,32})"
    r"(?: +(?:Not tainted|Tainted: (?P<taint>[A-Z ]*)) *(?P<release>\d\S*))?"
)
MODULES = LazyPattern(r"Modules linked in:")
MODULE = LazyPattern(r"(?P<name>[A-Za-z_][\w-]{0,63})(?:\((?P<flags>[A-Z+-]{1,24})\))?")
LAST_UNLOADED = LazyPattern(r"\[last unloaded: (?P<name>[\w-]{1,64})")
# A line of the list of modules goes on where a record was full.
MORE_MODULES = LazyPattern(
    r"[A-Za-z_][\w-]{0,63}(?:\([A-Z+-]{1,24}\))?(?: [A-Za-z_][\w-]{0,63}(?:\([A-Z+-]{1,24}\))?)*"
    r"(?: ?\[last unloaded: [^\]]*\]?(?::\d+)?)?"
)
INSTRUCTION = LazyPattern(
    r"(?:RIP|EIP|IP):? *(?:(?P<cs>[0-9a-f]{4}):)?(?:\[<(?P<address>[0-9a-f]{4,16})>\] *){0,2}"
    rf"(?P<place>{PLACE})?(?: RSP: .*)?"
)
PC = LazyPattern(rf"(?:pc :|PC is at) *(?P<place>{PLACE})")
LR = LazyPattern(rf"(?:lr :|LR is at) *(?P<place>{PLACE})")
CODE = LazyPattern(r"Code: ?(?P<code>.*)")
MARK = LazyPattern(
    r"<(?P<end>/)?(?P<stack>TASK|IRQ|NMI|SOFTIRQ|ENTRY|ENTRY_TRAMPOLINE|SYSENTER|#?[A-Z0-9]{2,8}2?)>"
)
RULE = LazyPattern(r"[=-]{10,}$")
CUT = LazyPattern(r"-{8,}\[ cut here \]-{8,}")
END = LazyPattern(r"---\[ end (?:trace|Kernel panic)")
# What a trace that follows is of.
SECTION = LazyPattern(
    r"(?:NMI backtrace for cpu (?P<cpu>\d+)(?! skipped)"
    r"|task:(?P<comm>\S.{0,31}?) +state:(?P<state>\S) .*?pid: ?(?P<pid>\d+)"
    r"|(?:Allocated|Freed) in .* age=.*|Kernel panic - not syncing: .*)"
)
TRACE = LazyPattern(r"Call [Tt]race:|stack backtrace:|Stack traceback|Backtrace:")

DETAILS: tuple[LazyPattern, ...] = tuple(
    LazyPattern(pattern)
    for pattern in (
        # arch/x86/mm/fault.c show_fault_oops
        r"#PF: (?P<mode>supervisor|user) (?P<access>read|write|instruction fetch)\b",
        r"#PF: error_code\(0x(?P<error_code>[0-9a-f]+)\) - (?P<protection>.{1,60})",
        r"kernel tried to execute (?P<protection>NX-protected page)",
        r"unable to execute (?P<protection>userspace code)",
        r"PGD (?P<page_tables>[0-9a-f].*)",
        r"KASAN: (?P<kasan>.{1,60}?) in range \[0x(?P<range>[0-9a-f]+)-0x[0-9a-f]+\]",
        r"KASAN: (?P<kasan>.{1,120})",
        # arch/arm64/mm/fault.c mem_abort_decode, data_abort_decode
        r"ESR = 0x(?P<esr>[0-9a-f]+)",
        r"EC = 0x[0-9a-f]+: (?P<exception>[^,]{1,60})",
        r"FSC = 0x[0-9a-f]+: (?P<protection>.{1,60})",
        r"CM = \d+, WnR = (?P<wnr>[01])",
        r"FAR: 0x(?P<address>[0-9a-f]+)",
        r"ESR: 0x(?P<esr>[0-9a-f]+) -- (?P<exception>.{1,60})",
        r"(?P<stack>Task|IRQ|Overflow) stack: ",
        r"Hardware name: (?P<hardware>.*)",
        r"Workqueue: (?P<workqueue>.*)",
        r"Kernel Offset: (?P<kernel_offset>0x[0-9a-f]+|disabled)",
        r"CR2: (?P<cr2>[0-9a-f]{8,16})",
        r"Thread overran stack",
        # mm/kasan/report.c, report_sw_tags.c
        r"Pointer tag: \[(?P<pointer_tag>\w\w)\], memory tag: \[(?P<memory_tag>\w\w)\]",
        r"(?P<access>Read|Write)(?: of size (?P<size>\d+))? at addr (?P<address>[0-9a-f]+) by task "
        r"(?P<comm>.{1,32})/(?P<pid>\d+)",
        r"Free of addr (?P<address>[0-9a-f]+) by task (?P<comm>.{1,32})/(?P<pid>\d+)",
        r"The buggy address belongs to the object at (?P<object>[0-9a-f]+)",
        r"which belongs to the cache (?P<cache>\S+) of size (?P<cache_size>\d+)",
        r"The buggy address is located (?P<offset>\d+) bytes (?P<where>inside|to the right|to the left) of",
        r"(?:freed |allocated )?(?P<region>\d+-byte region) \[",
        r"The buggy address belongs to stack of task (?P<stack_of>.*)",
        r"and is located at offset (?P<offset>\d+) in frame",
        r"\[(?P<variable_range>\d+, \d+)\) '(?P<variable>[^']{1,64})'",
        r"The buggy address belongs to (?:the|a) (?P<memory>variable|virtual mapping|vmalloc|physical page)",
        # mm/kfence/report.c
        r"(?P<bug_access>Out-of-bounds|Use-after-free|Invalid) (?P<access>read|write) at "
        rf"{_HEX} \((?:(?P<offset>\d+)B (?P<where>left|right) of|in)? ?(?P<object>kfence-#\d+)\)",
        rf"Out-of-bounds (?P<access>read|write) at {_HEX}",
        rf"Corrupted memory at {_HEX}",
        rf"Invalid free of {_HEX}",
        rf"Invalid (?P<access>read|write) at {_HEX}",
        r"(?P<object>kfence-#\d+): \S+, size=(?P<object_size>\d+), cache=(?P<cache>\S+)",
        # kernel/kcsan/report.c
        r"(?:race at unknown origin, with )?(?P<access>read|write|assert no accesses|assert no writes)"
        r"[-\w ()]* to 0x(?P<address>[0-9a-f]+) of (?P<size>\d+) bytes by ",
        r"value changed: (?P<value_changed>.{1,60})",
        # lib/ubsan.c
        r"(?P<message>index .{1,40} is out of range for type .{1,80})",
        r"(?P<message>shift exponent .{1,120})",
        r"(?P<message>.{1,80} cannot be represented in type .{1,40})",
        r"(?P<message>(?:load of|member access|store to|division|negation|left shift|calling) .{1,160})",
        # kernel/sched/core.c __might_resched
        r"in_atomic\(\): (?P<in_atomic>\d+), irqs_disabled\(\): (?P<irqs_disabled>\d+)"
        r"(?:, non_block: \d+)?, pid: (?P<pid>\d+), name: (?P<comm>.{1,32})",
        r"preempt_count: (?P<preempt_count>[0-9a-f]+), expected: ",
        r"RCU nest depth: (?P<rcu_depth>\d+), expected",
        # kernel/locking/lockdep.c, spinlock_debug.c
        r"(?P<comm>\S.{0,31}?)/(?P<pid>\d+) (?:\[.{1,60}\] )?(?P<doing>is trying to \w+ ?\w*"
        r"|just changed the state of lock|takes|is leaving the kernel with locks still held"
        r"|is freeing memory)",
        r"(?:#\d+: )?\S{4,20} \((?P<lock>\S.{0,80}?)\)\{.{1,12}\}(?:-\{\d+:\d+\})?, at: (?P<lock_at>\S.*)",
        r"(?P<locks_held>\d+) locks? held by ",
        r"inconsistent \{(?P<usage>[^}]*\} -> \{[^}]*)\} usage",
        rf"lock: (?P<lock>{PLACE}|\S+), \.magic: (?P<magic>[0-9a-f]+), "
        r"\.owner: (?P<owner>.{1,40}), \.owner_cpu: ",
        # kernel/hung_task.c, kernel/rcu/tree_stall.h, kernel/sched/core.c sched_show_task
        r"(?:rcu: )?\s*\(t=(?P<jiffies>\d+) jiffies",
        r"(?:rcu: )?\s*\(detected by (?P<detected_by>\d+), t=(?P<jiffies>\d+) jiffies",
        r"(?:rcu: )?\s*(?P<cpu>\d+)-[^:]{3,6}: \(",
        r"rcu: (?P<starved>\S+ kthread starved for \d+ jiffies)",
        # mm/slub.c print_trailer, print_track
        r"Object 0x(?P<object>[0-9a-f]+) @offset=(?P<offset>\d+)",
        r"\[(?P<overwritten>[\w ]{1,40}) overwritten\] 0x(?P<address>[0-9a-f]+)-"
        r".*First byte (?P<byte>0x[0-9a-f]+)",
        r"0x(?P<address>[0-9a-f]+)-0x[0-9a-f]+ @offset=\d+\. First byte (?P<byte>0x[0-9a-f]+)",
        r"page dumped because: (?P<reason>.*)",
        r"page: ?(?P<page>.*)",
        # mm/kmemleak.c
        r"comm \"(?P<comm>.{0,32}?)\", pid (?P<pid>-?\d+), jiffies (?P<jiffies>\d+)",
        # mm/oom_kill.c
        r"(?:Out of memory|Memory cgroup out of memory)[^:]{0,60}: Kill(?:ed)? process "
        r"(?P<victim_pid>\d+) \((?P<victim>.{1,32}?)\)",
        r"Kernel panic - not syncing: (?P<panic>.*)",
    )
)

# What comes after the end of a report, and is of it still.
AFTER = LazyPattern(
    r"note: \S+ exited with (?P<exited_with>.{1,60})"
    r"|Kernel Offset: (?P<kernel_offset>0x[0-9a-f]+|disabled)|Rebooting in|Disabling lock debugging"
    r"|SMP: stopping|Shutting down|CPU features|Memory Limit|PHYS_OFFSET"
)
# The last of them before the machine stops or restarts (kernel/panic.c panic, dump_kernel_offset).
LAST = LazyPattern(r"Kernel Offset: |Memory Limit|Rebooting in")
# Lines of a report that say nothing that is kept: they only show that it goes on.
QUIET = LazyPattern(
    "|".join(
        (
            r"Mem abort info|Data abort info|SET = |EA = |ISV = |GCS = |CM = |Access size = |SSE = |SF = ",
            r"user pgtable|swapper pgtable|\[[0-9a-f]{16}\] |#PF: |P[GMU4]D|Tainted: |task: |Stack:|DR\d: ",
            r"irq event stamp|(?:hard|soft)irqs last|Preemption disabled at|\.\.\.|#\d+: |ORIG_RAX|pstate",
            r"Memory state around|>?[0-9a-f]{8,16}: |\^|The buggy|which belongs|flags: |raw: |memcg:|head:",
            r"pages dumped|This frame has|page(?:_owner|_type| last| does)|Bytes b4|Object\s+\S|Redzone",
            r"Padding|Slab 0x|FIX |hex dump|(?:[0-9a-f]{2} ){4}|bits changed",
            r"Rebooting in|Disabling lock debugging|SMP: stopping|Shutting down|CPU features|Memory Limit",
            r"PHYS_OFFSET|Reported by|Call Trace|Possible |CPU\d|CPU#|#\d+ |----|\*\*\* DEADLOCK",
            r"r?lock\(|sync\(|May be due|<Interrupt>|local_irq|Chain exists|other info|which (?:lock|would)",
            r"debug_locks|rcu_scheduler|but |and |no locks held|-> ?#|-->|INFO: lockdep",
            r"context-\{|\S{8,20} \(.*at: |\{ |\} |\S+/\d+: ",
            r'"echo 0 >|Sending NMI|rcu: |Showing all locks|handlers:|__schedule',
        )
    )
)
