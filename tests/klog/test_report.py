# SPDX-License-Identifier: MIT
"""Golden logs: every report in them is found, once, and says what the kernel said.

`logs/expected.txt` has a line for each report, held against the logs by reading them: log, kind, first and
last record, where the processor was, the source line that the kernel names, address, access, size, cpu/
pid/command, taint, how many registers, whether its code was understood, the sizes of its traces, whether it
is whole.
"""

from __future__ import annotations

import pytest
from klog_logs import LOGS, read_log

from lkm.klog import Frame, Kind, Place, Report, find_reports, parse_log

_ROWS = [line.split(" | ") for line in (LOGS / "expected.txt").read_text().splitlines() if line[:1] != "#"]
_EXPECTED: dict[str, list[list[str]]] = {}
for _row in _ROWS:
    _EXPECTED.setdefault(_row[0], []).append(_row[1:])


def reports_of(name: str) -> tuple[Report, ...]:
    return find_reports(parse_log(read_log(name)))


def place_of(frame: Frame | None) -> str:
    if frame is None:
        return "-"
    if not frame.symbol:
        return f"{frame.address:#x}"
    return f"{frame.symbol}+{frame.offset:#x}" + (f"[{frame.module}]" if frame.module else "")


def row_of(report: Report) -> list[str]:
    source = report.place
    return [
        report.kind.value,
        f"{report.first}-{report.last}",
        place_of(report.at),
        f"{source.path.rpartition('/')[2]}:{source.line}" if source else "-",
        "-" if report.address is None else f"{report.address:#x}",
        report.access or "-",
        str(report.size or "-"),
        f"{report.cpu}/{report.pid}/{report.comm or '-'}",
        report.taint or "-",
        str(len(report.registers)),
        "code" if report.code else "-",
        " ".join(str(len(trace.frames)) for trace in report.traces) or "-",
        "whole" if report.complete else "cut",
    ]


@pytest.mark.parametrize("name", sorted(_EXPECTED))
def test_what_a_log_holds(name: str) -> None:
    assert [row_of(report) for report in reports_of(name)] == _EXPECTED[name]


def test_every_sort_of_report_is_in_a_log() -> None:
    """Those without a golden log are looked for by their first lines below."""
    seen = {row[0] for rows in _EXPECTED.values() for row in rows}
    lines = {kind.value for _, kind in FIRST_LINES} | {"use-after-free"}
    assert {kind.value for kind in Kind} <= seen | lines


def test_kasan_says_whose_memory_it_was() -> None:
    (report,) = reports_of("6.12-debug-kasan_read")
    assert report.details["bug"] == "slab-use-after-free"
    assert report.details["cache"].startswith("kmalloc-") and report.details["where"] == "inside"
    titles = [trace.title for trace in report.traces]
    assert titles[0] == "Call Trace"
    assert titles[1].startswith("Allocated by task") and titles[2].startswith("Freed by task")
    assert all(any(frame.module == "kasan_read" for frame in trace.frames) for trace in report.traces)


def test_lockdep_names_the_locks() -> None:
    (report,) = reports_of("6.12-debug-lock_order")
    assert (report.details["lock"], report.details["held_lock"]) == ("left", "right")
    assert [trace.title[:5] for trace in report.traces] == ["-> #1", "-> #0", "Call "]


def test_a_warning_before_the_registers_or_after_them() -> None:
    (old,) = reports_of("made-x86-4.4-warn")
    (new,) = reports_of("made-warn-newest")
    assert old.details["message"] == new.details["message"] == "the count is -3"
    assert (
        old.at
        == new.at
        == Frame("hello_check", 0x2F, 0x40, "hello", address=old.at.address if old.at else None)
    )
    assert (old.place, new.place) == (Place("/home/user/hello/hello.c", 23), Place("hello.c", 23))


def test_an_old_oops() -> None:
    (report,) = reports_of("made-x86-3.16-null")
    assert report.at == Frame("hello_init", 8, 0x1000, "hello", address=0xFFFFFFFFA0005008)
    assert report.registers["rbx"] == 0xFFFFFFFF8181A020
    assert report.modules[:2] == ("hello", "crc32c_intel") and report.modules[-1] == "virtio_blk"
    assert report.details["last_unloaded"] == "first"
    frames = report.traces[0].frames
    assert frames[0] == Frame("do_one_initcall", 0xBD, 0x1B0, reliable=False, address=0xFFFFFFFF8100213D)


def test_arm64() -> None:
    (report,) = reports_of("made-arm64-null")
    assert (report.arch, report.access, report.address) == ("aarch64", "write", 0x18)
    assert report.registers["sp"] == 0xFFFF8000803BBA50 and report.registers["x1"] == 1
    assert report.code is not None
    assert report.code.data[report.code.at :] == bytes.fromhex("011800b9")  # b9001801, as it lies in memory
    assert report.details["lr"] == "do_one_initcall+0x60/0x1d0"
    assert report.details["protection"] == "level 0 translation fault"


def test_arm64_where_some_of_the_code_cannot_be_read() -> None:
    (report,) = reports_of("arm64-6.12-null_field")
    assert report.code is not None and report.code.at == 0
    assert report.code.data == bytes.fromhex("000c40f9")  # ldr x0, [x0, #24]
    assert report.details["lr"] == "null_field_init+0x14/0x1000 [null_field]"


@pytest.mark.parametrize("name", ["6.1-boot", "7.3-boot"])
def test_a_kernel_that_is_well_reports_nothing(name: str) -> None:
    records = parse_log(read_log(name))
    assert len(records) > 200 and all(record.seconds >= 0 for record in records)
    assert find_reports(records) == ()


def test_reports_of_two_threads_are_told_apart_where_callers_are_printed() -> None:
    fault, warning = reports_of("made-two-at-once")
    assert {frame.module for frame in fault.traces[0].frames} == {"a", ""}
    assert {frame.module for frame in warning.traces[0].frames} == {"b", ""}
    assert (fault.comm, warning.comm) == ("a-load", "b-load")


def test_what_another_processor_prints_for_a_stall_is_the_stalls() -> None:
    (report,) = reports_of("made-rcu-stall")
    assert (report.cpu, report.comm) == (1, "insmod")
    assert [trace.title for trace in report.traces] == ["task rcu_preempt:15", "NMI backtrace for cpu 1"]


def test_a_panic_belongs_to_what_led_to_it() -> None:
    (lockup,) = reports_of("made-hard-lockup")
    assert lockup.details["panic"] == "Hard LOCKUP"
    (bug,) = reports_of("made-arm64-bug")
    assert bug.details["panic"] == "Oops - BUG: Fatal exception"


def test_an_oops_cut_off_keeps_what_was_understood() -> None:
    records = parse_log(read_log("6.1-null_field"))
    (whole,) = find_reports(records)
    (report,) = find_reports(records[: whole.first + 12])
    assert not report.complete and whole.complete
    assert (report.kind, report.at, report.address) == (whole.kind, whole.at, whole.address)
    assert 0 < len(report.registers) < len(whole.registers) and not report.traces


def test_several_lines_in_one_record() -> None:
    from lkm.klog import Record

    text = "\n".join(record.text for record in parse_log(read_log("6.1-null_field")))
    (report,) = find_reports([Record(1, 2.0, 6, "before"), Record(2, 3.0, 6, text)])
    (apart,) = reports_of("6.1-null_field")
    assert (report.first, report.last) == (1, 1)
    assert (report.registers, report.traces) == (apart.registers, apart.traces)


# For sorts that no golden log has; the sentence is the kernel's, of the function named.
FIRST_LINES = [
    ("BUG: unable to handle page fault for address: ffffc90000fff000", Kind.PAGE_FAULT),
    ("general protection fault, maybe for address 0xffff88: 0000 [#1] SMP", Kind.GENERAL_PROTECTION),
    ("segment-related general protection fault: fff8 [#1] PREEMPT SMP", Kind.GENERAL_PROTECTION),
    ("Buffer overflow detected (64 < 512)!", Kind.BUFFER_OVERFLOW),
    ("Trying to vfree() nonexistent vm area (0000000035c1aac2)", Kind.INVALID_FREE),
    ("alignment check: 0000 [#1] SMP", Kind.OOPS),
    ("Oops: stack segment: 0000 [#1] SMP NOPTI", Kind.OOPS),
    ("traps: PANIC: double fault, error_code: 0x0", Kind.STACK_OVERFLOW),
    ("Internal error: Oops - Undefined instruction: 0000000002000000 [#1] SMP", Kind.INVALID_OPCODE),
    ("Internal error: synchronous external abort: 96000010 [#1] SMP", Kind.OOPS),
    ("SError Interrupt on CPU0, code 0x00000000be000011 -- SError", Kind.OOPS),
    ("Unable to handle kernel write to read-only memory at virtual address ffff80008001", Kind.PAGE_FAULT),
    ("BUG: sleeping function called from invalid context at mm/slab.h:421", Kind.SLEEPING_WHILE_ATOMIC),
    ("[ INFO: possible circular locking dependency detected ]", Kind.LOCK_INVERSION),
    ("WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected", Kind.LOCK_INVERSION),
    ("WARNING: possible irq lock inversion dependency detected", Kind.LOCK_INVERSION),
    ("WARNING: insmod/45 still has locks held!", Kind.LOCK_HELD),
    ("BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[11]", Kind.LOCK_HELD),
    ("[ BUG: Invalid wait context ]", Kind.LOCK_MISUSE),
    ("BUG: spinlock bad magic on CPU#0, insmod/45", Kind.LOCK_MISUSE),
    ("BUG: spinlock recursion on CPU#0, insmod/45", Kind.LOCK_DEADLOCK),
    ("NMI watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [insmod:45]", Kind.SOFT_LOCKUP),
    ("NMI watchdog: Watchdog detected hard LOCKUP on cpu 3", Kind.HARD_LOCKUP),
    ("INFO: task kworker/0:1:11 blocked for more than 120 seconds.", Kind.HUNG_TASK),
    ("rcu: INFO: rcu_sched self-detected stall on CPU", Kind.RCU_STALL),
    ("rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: {", Kind.RCU_STALL),
    ("list_add corruption. prev->next should be next (a), but was b. (prev=c).", Kind.LIST_CORRUPTION),
    ("percpu ref (hello_release) <= 0 (-1) after switching to atomic", Kind.REFCOUNT),
    ("BUG: Bad page map in process cat  pte:800000 pmd:3d", Kind.BAD_PAGE),
    ("BUG kmalloc-64 (Tainted: G           O      ): Object already free", Kind.DOUBLE_FREE),
    ("BUG kmalloc-64 (Not tainted): Padding overwritten. 0x1-0x2 @offset=4", Kind.SLAB_CORRUPTION),
    ("kmem_cache_destroy zoo: Slab cache still has objects when called from x+0x1/0x2 [x]", Kind.SLAB_LEAK),
    ("detected buffer overflow in strcpy", Kind.BUFFER_OVERFLOW),
    ("memcpy: detected field-spanning write (size 16) of single field \"x\" at a.c:1", Kind.BUFFER_OVERFLOW),
    ("usercopy: Kernel memory overwrite attempt detected to SLUB object 'x'", Kind.BUFFER_OVERFLOW),
    ("Memory cgroup out of memory: Killed process 45 (eater) total-vm:1kB", Kind.OUT_OF_MEMORY),
    ("kworker/0:1: page allocation failure: order:10, mode:0xcc0(GFP_KERNEL), nodemask=(null)",
     Kind.ALLOCATION_FAILURE),
    ("kobject: '(null)' (00000000a1b2): is not initialized, yet kobject_put() is being called.",
     Kind.OBJECT_MISUSE),
    ("Device 'zoo' does not have a release() function, it is broken and must be fixed.", Kind.OBJECT_MISUSE),
    ("proc_dir_entry '/proc/zoo' already registered", Kind.SYSFS_DUPLICATE),
    ("debugfs: Directory 'zoo' with parent '/' already present!", Kind.SYSFS_DUPLICATE),
    ("remove_proc_entry: removing non-empty directory '/proc/zoo', leaking at least 'a'", Kind.LEFT_BEHIND),
    ("unregister_netdevice: waiting for zoo0 to become free. Usage count = 1", Kind.UNLOADED_IN_USE),
    ("CFI failure at hello_init+0x15/0x1000 [hello] (target: x+0x0/0x10; expected type: 0x1)", Kind.CFI),
    ("traps: Missing ENDBR: hello_init+0x0/0x40 [hello]", Kind.CFI),
    ('irq 5: nobody cared (try booting with the "irqpoll" option)', Kind.IRQ_UNHANDLED),
    ("Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: f+0x1/0x2 [f]",
     Kind.STACK_CORRUPTION),
    ("Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", Kind.PANIC),
    ("kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)", Kind.KMEMLEAK),
    ("BUG: KMSAN: uninit-value in choose+0x2f/0x60 [uninit]", Kind.KMSAN),
    ("BUG: something that nobody has heard of", Kind.BUG),
]  # fmt: skip


@pytest.mark.parametrize(("line", "kind"), FIRST_LINES, ids=lambda value: str(value)[:40])
def test_what_begins_a_report(line: str, kind: Kind) -> None:
    log = f"[    1.000000] before\n[    2.000000] {line}\n[    3.000000] after\n".encode()
    assert [(report.kind, report.title, report.first) for report in find_reports(parse_log(log))] == [
        (kind, line, 1)
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Oops, I did it again",
        "WARNING: this is no report: a driver's own words",
        "debugging is on",
        "traps: cat[45] general protection fault ip:401000 sp:7ffe error:0 in cat[400000+1000]",
        "cat[45]: segfault at 0 ip 0000000000401000 sp 00007ffe error 4 in cat[400000+1000]",
        "CPU: All CPU(s) started at EL1",
        "rcu: Hierarchical RCU implementation.",
        "random: crng init done",
        "kobject_uevent: nothing",
        "Call me",
        "",
    ],
)
def test_what_begins_none(line: str) -> None:
    assert find_reports(parse_log(f"[    1.000000] {line}\n".encode())) == ()


def test_poison_tells_what_was_done() -> None:
    """include/linux/poison.h: freed memory is 6b6b…, a removed list entry points to dead000000000100."""

    def kind_of(address: str) -> Kind:
        text = f"general protection fault, probably for non-canonical address {address}: 0000 [#1] SMP"
        (report,) = find_reports(parse_log(f"[    1.000000] {text}\n".encode()))
        return report.kind

    assert kind_of("0x6b6b6b6b6b6b6b7b") is Kind.USE_AFTER_FREE
    assert kind_of("0xdead000000000108") is Kind.LIST_CORRUPTION
    assert kind_of("0x1122334455667788") is Kind.GENERAL_PROTECTION


def test_an_allocation_that_is_too_large_is_told() -> None:
    log = (
        b"[    2.000000] WARNING: CPU: 0 PID: 78 at mm/page_alloc.c:5634 __alloc_pages+0x2bd/0x340\n"
        b"[    2.000001] RIP: 0010:__alloc_pages+0x2bd/0x340\n"
    )
    (report,) = find_reports(parse_log(log))
    assert report.kind is Kind.ALLOCATION_FAILURE


def test_kasans_word_on_a_fault_is_taken() -> None:
    log = (
        b"[    1.0] x\n[    2.000000] Oops: general protection fault, probably for non-canonical address "
        b"0xdffffc0000000003: 0000 [#1] SMP KASAN\n"
        b"[    2.000001] KASAN: null-ptr-deref in range [0x0000000000000018-0x000000000000001f]\n"
    )
    (report,) = find_reports(parse_log(log))
    assert (report.kind, report.address) == (Kind.NULL_POINTER, 0x18)
