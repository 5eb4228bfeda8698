# SPDX-License-Identifier: MIT
"""Reports are found, one each, with all that they say."""

from __future__ import annotations

from lkm.klog import Frame, Kind, find_reports, parse_console

# Written from arch/x86/mm/fault.c show_fault_oops, arch/x86/kernel/dumpstack.c and process_64.c of 6.12.
NULL_POINTER = b"""\
[    3.100000] hello: hi
[    3.200000] BUG: kernel NULL pointer dereference, address: 0000000000000018
[    3.200001] #PF: supervisor write access in kernel mode
[    3.200002] #PF: error_code(0x0002) - not-present page
[    3.200003] PGD 0 P4D 0
[    3.200004] Oops: Oops: 0002 [#1] PREEMPT SMP NOPTI
[    3.200005] CPU: 0 UID: 0 PID: 45 Comm: insmod Tainted: G           OE      6.12.117+deb12  #1
[    3.200006] Tainted: [O]=OOT_MODULE, [E]=UNSIGNED_MODULE
[    3.200008] RIP: 0010:hello_init+0x15/0x1000 [hello]
[    3.200009] Code: 90 f3 0f 1e fa <c7> 04 25 18 00 00 00 01 00 00 00 31 c0
[    3.200010] RSP: 0018:ffffc900001a7c60 EFLAGS: 00010246
[    3.200014] CR2: 0000000000000018 CR3: 0000000005a2e000 CR4: 00000000000006f0
[    3.200015] Call Trace:
[    3.200016]  <TASK>
[    3.200017]  ? __die_body.cold+0x19/0x27
[    3.200018]  do_one_initcall+0x58/0x310
[    3.200021] RIP: 0033:0x7f1234567890
[    3.200022] RSP: 002b:00007ffc12345678 EFLAGS: 00000246 ORIG_RAX: 0000000000000139
[    3.200024]  </TASK>
[    3.200025] Modules linked in: hello(OE+) intel_rapl_msr [last unloaded: foo(O)]
[    3.200026] CR2: 0000000000000018
[    3.200027] ---[ end trace 0000000000000000 ]---
[    3.200028] RIP: 0010:hello_init+0x15/0x1000 [hello]
[    3.200030] RSP: 0018:ffffc900001a7c60 EFLAGS: 00010246
[    3.200031] note: insmod[45] exited with irqs disabled
[    4.000000] hello: other
"""


def test_an_oops_is_one_report() -> None:
    (report,) = find_reports(parse_console(NULL_POINTER))
    assert (report.kind, report.first, report.last) == (Kind.NULL_POINTER, 1, 24)
    assert report.title == "BUG: kernel NULL pointer dereference, address: 0000000000000018"
    assert report.at == Frame("hello_init", 0x15, 0x1000, "hello")
    assert (report.address, report.access) == (0x18, "write")
    assert (report.cpu, report.pid, report.comm) == (0, 45, "insmod")
    assert (report.release, report.taint, report.arch) == ("6.12.117+deb12", "GOE", "x86_64")
    assert report.registers["rsp"] == 0xFFFFC900001A7C60  # the kernel's, not user space's
    assert report.code is not None and report.code.data[report.code.at] == 0xC7
    assert [frame.symbol for frame in report.traces[0].frames] == ["__die_body.cold", "do_one_initcall"]
    assert [frame.reliable for frame in report.traces[0].frames] == [False, True]
    assert report.modules == ("hello", "intel_rapl_msr")
    assert report.details["loading"] == "hello" and report.details["last_unloaded"] == "foo"
    assert report.complete
