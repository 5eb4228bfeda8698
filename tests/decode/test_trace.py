# SPDX-License-Identifier: MIT
"""A place that an interrupt came to is where the processor was; others are those that calls return to."""

from __future__ import annotations

from lkm.decode.trace import return_site
from lkm.klog import find_reports, parse_log

# Recorded, shortened: the interrupt came to the call itself, at 0x40, and 0x45 is where it would return to.
LOG = b"""\
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu: \tTasks blocked on level-0 rcu_node (CPUs 0-0): P78
\t(detected by 0, t=752 jiffies, g=-867, q=1 ncpus=1)
task:lkm             state:R  running task     stack:0     pid:78    ppid:1      flags:0x00404000
Call Trace:
 <IRQ>
 sched_show_task.cold+0xce/0xdc
 timer_interrupt+0x14/0x20
 common_interrupt+0x7d/0xa0
 </IRQ>
 <TASK>
 asm_common_interrupt+0x22/0x40
RIP: 0010:rcu_stall_init+0x40/0x1000 [rcu_stall]
RSP: 0018:ffffc9000058fa78 EFLAGS: 00000287
RAX: 00000000fffee00e RBX: 00000000fffee2fa RCX: 0000000000000002
 ? rcu_stall_init+0x45/0x1000 [rcu_stall]
 do_one_initcall+0x59/0x220
 </TASK>
"""


def test_only_the_interrupted_place_is_taken_as_it_is() -> None:
    (report,) = find_reports(parse_log(LOG))
    frames = [frame for trace in report.traces for frame in trace.frames if frame.symbol]
    assert [(one.symbol, one.offset) for one in frames if one.interrupted] == [("rcu_stall_init", 0x40)]
    sites = {one.symbol: return_site(one.offset or 0, one, exact=False) for one in frames if one.reliable}
    assert (sites["rcu_stall_init"], sites["do_one_initcall"]) == (0x40, 0x58)
