# SPDX-License-Identifier: MIT
"""Where a guest hangs: judged from stacks and processors, in the words of the kernel, the agent and QEMU."""

from __future__ import annotations

import pytest

from lkm.guest import Detail, End, Ending
from lkm.guest.hang import Place, Processor, Stack, judge_hang, parse_registers, parse_stacks

BUSY = [[Processor(True, False)]]
DEAF = [[Processor(False, False)]] * 12
IDLE = [[Processor(True, True)]]

# 6.1.0-56-cloud-amd64: an NMI where a timer's function loops; the registers of user space come last
NMI = """\
Uhhuh. NMI received for unknown reason 21 on CPU 0.
Kernel panic - not syncing: NMI: Not continuing
CPU: 0 PID: 78 Comm: lkm Tainted: G           OE      6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2
Call Trace:
 <NMI>
 dump_stack_lvl+0x44/0x5c
 panic+0x118/0x2f4
 end_repeat_nmi+0x16/0x67
RIP: 0010:stick+0x6f/0x245 [stuck]
RSP: 0018:ffffc90000003e68 EFLAGS: 00000202
 ? stuck_tasklet+0xa/0xa [stuck]
 </NMI>
 <IRQ>
 call_timer_fn+0x27/0x130
 __run_timers+0x222/0x2c0
 handle_softirqs+0xd7/0x280
 </IRQ>
RIP: 0010:finish_task_switch.isra.0+0x96/0x2d0
RIP: 0033:0x403606
"""
# 6.1.0-56-cloud-amd64: SysRq w
BLOCKED = """\
sysrq: Show Blocked State
task:lkm             state:D stack:0     pid:78    ppid:1      flags:0x00404000
Call Trace:
 <TASK>
 __schedule+0x34d/0xa00
 schedule_preempt_disabled+0x11/0x20
 __mutex_lock.constprop.0+0x39d/0x720
 ? 0xffffffffc0206000
 stick+0xe3/0x245 [stuck]
 stuck_init+0x2d/0x1000 [stuck]
 do_one_initcall+0x59/0x220
"""
TOLD = """\
task:lkm state:D pid:78
 stick+0xe3/0x245 [stuck]
 stuck_init+0x2d/0x1000 [stuck]
 do_one_initcall+0x59/0x220
"""
# 6.1.0-56-cloud-amd64: SysRq l on two processors
BOTH = """\
NMI backtrace for cpu 0
CPU: 0 PID: 1 Comm: init Tainted: G           OE      6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2
Call Trace:
 <TASK>
 dump_stack_lvl+0x44/0x5c
 nmi_cpu_backtrace+0x9a/0x110
 </TASK>
NMI backtrace for cpu 1
CPU: 1 PID: 78 Comm: lkm Tainted: G           OE      6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2
RIP: 0010:native_queued_spin_lock_slowpath+0x30/0x2a0
RSP: 0018:ffffc900005a7c28 EFLAGS: 00000202
Call Trace:
 <TASK>
 stick+0xa0/0x245 [stuck]
 stuck_exit+0x2d/0x1000 [stuck]
 __do_sys_delete_module.constprop.0+0x1b9/0x330
"""


def stacks(text: str) -> list[Stack]:
    return parse_stacks(text.splitlines())


def test_registers_as_qemu_shows_them() -> None:
    text = (
        "CPU#0\nRAX=0 RBX=0\n"
        "RIP=ffffffff81a17a0b RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\n"
        "CPU#1\nRIP=ffffffffc02010a8 RFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\n"
    )
    assert parse_registers(text) == [Processor(True, True), Processor(False, False)]
    assert parse_registers("nothing of the kind") == []


def test_a_timer_by_an_nmi() -> None:
    assert stacks(NMI)[0].places[:2] == (
        Place("stick", "stuck", "stick+0x6f/0x245 [stuck]"),
        Place("call_timer_fn", "", "call_timer_fn+0x27/0x130"),
    )
    expected = Ending(End.HANG, Detail.LOOPING, "stick+0x6f/0x245 [stuck]", "timer")
    assert judge_hang([], stacks(NMI), BUSY, prints=False) == expected


@pytest.mark.parametrize(
    ("moments", "prints", "detail"),
    [
        (BUSY, False, Detail.LOOPING),
        (DEAF, False, Detail.INTERRUPTS_OFF),
        ([*DEAF, *BUSY], False, Detail.LOOPING),
        ([], False, Detail.LOOPING),
        (BUSY, True, Detail.FLOOD),
    ],
)
def test_interrupts_are_off_where_they_are_off_each_time(
    moments: list[list[Processor]], prints: bool, detail: Detail
) -> None:
    assert judge_hang([], stacks(NMI), moments, prints=prints).detail is detail


def test_a_lock_of_an_interrupt_is_none_of_the_module() -> None:
    """Met in the handler of a tick, which takes locks of its own, while the module's code loops."""
    looping = """CPU: 0 PID: 78 Comm: lkm
Call Trace:
 _raw_spin_lock_irqsave+0x24/0x50
 hrtimer_interrupt+0x5f/0x220
 __sysvec_apic_timer_interrupt+0x7c/0x170
 asm_sysvec_apic_timer_interrupt+0x16/0x20
 stick+0x6f/0x245 [stuck]
 do_one_initcall+0x59/0x220
"""
    expected = Ending(End.HANG, Detail.LOOPING, "stick+0x6f/0x245 [stuck]", "init")
    assert judge_hang([], stacks(looping), BUSY, prints=False) == expected
    spinning = looping.replace(" stick", " _raw_spin_lock+0x29/0x40\n stick")
    assert judge_hang([], stacks(spinning), BUSY, prints=False).detail is Detail.LOCK


def test_one_deaf_processor_of_two_is_enough() -> None:
    moments = [[Processor(bool(turn % 2), True), Processor(False, False)] for turn in range(8)]
    assert judge_hang([], stacks(NMI), moments, prints=False).detail is Detail.INTERRUPTS_OFF


def test_the_kernels_words_tell_a_lock_that_the_agent_cannot_see() -> None:
    where = "stick+0xe3/0x245 [stuck]"
    alone = judge_hang(stacks(TOLD), [], IDLE, prints=False)
    assert alone == Ending(End.HANG, Detail.ASLEEP, where, "init")
    both = judge_hang(stacks(TOLD), stacks(BLOCKED), IDLE, prints=False)
    assert both == Ending(End.HANG, Detail.LOCK, where, "init")


def test_the_processor_that_spins_is_found() -> None:
    told = stacks("task:lkm state:R pid:78\n")
    expected = Ending(End.HANG, Detail.LOCK, "stick+0xa0/0x245 [stuck]", "exit")
    assert judge_hang(told, stacks(BOTH), BUSY, prints=False) == expected


def test_who_runs_is_told_before_who_waits_for_it() -> None:
    thread = "task:spin state:R pid:80\n spin+0x9/0x10 [mod]\n kthread+0xe9/0x110\n"
    waits = "task:lkm state:S pid:78\n mod_exit+0x9/0x10 [mod]\n"
    expected = Ending(End.HANG, Detail.LOOPING, "spin+0x9/0x10 [mod]", "thread")
    assert judge_hang(stacks(waits + thread), [], BUSY, prints=False) == expected


def test_the_unload_is_told_before_a_thread_that_sleeps_meanwhile() -> None:
    """Though the thread's frame is the nearer one: it may be meant to sleep."""
    thread = "task:worker state:D pid:80\n msleep+0x2d/0x40\n work+0x9/0x10 [mod]\n kthread+0xe9/0x110\n"
    waits = """task:lkm state:D pid:78
 schedule_timeout+0x11a/0x150
 kthread_stop+0x66/0x170
 mod_exit+0x9/0x10 [mod]
 __do_sys_delete_module+0x1b9/0x330
"""
    expected = Ending(End.HANG, Detail.ASLEEP, "mod_exit+0x9/0x10 [mod]", "exit")
    assert judge_hang(stacks(waits), stacks(waits + thread), IDLE, prints=False) == expected


def test_a_sleep_outside_of_any_module() -> None:
    told = "task:lkm state:D pid:78\n synchronize_rcu+0x9/0x10\n"
    ending = judge_hang(stacks(told), [], IDLE, prints=False)
    assert (ending.detail, ending.where) == (Detail.ASLEEP, "synchronize_rcu+0x9/0x10")


def test_nothing_said_and_nothing_runs() -> None:
    assert judge_hang([], [], IDLE, prints=False) == Ending(End.HANG, Detail.ASLEEP)
    assert judge_hang([], [], DEAF, prints=False) == Ending(End.HANG)


def test_who_was_interrupted_has_interrupts_on_however_often_they_were_seen_off() -> None:
    slow = NMI.replace("RIP: 0010:stick+0x6f/0x245 [stuck]", "RIP: 0010:update_load_avg+0xb5/0x780").replace(
        " <IRQ>\n", " <IRQ>\n asm_sysvec_apic_timer_interrupt+0x16/0x20\n"
    )
    assert judge_hang([], stacks(slow), DEAF, prints=False) == Ending(
        End.HANG, Detail.NONE, "update_load_avg+0xb5/0x780"
    )
    within = slow.replace(
        "call_timer_fn", "_raw_spin_unlock+0x1/0x2\n stick+0x6f/0x245 [stuck]\n call_timer_fn"
    )
    assert judge_hang([], stacks(within), DEAF, prints=False).detail is Detail.LOOPING


@pytest.mark.parametrize("junk", ["", "Call Trace:", " <NMI>", "RIP: 0010:", "task:", "task:x state:", "\0"])
def test_junk_is_no_error(junk: str) -> None:
    assert judge_hang(stacks(junk), stacks(junk * 3), [], prints=False).end is End.HANG
