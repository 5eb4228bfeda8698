# SPDX-License-Identifier: MIT
"""After `insmod` and `rmmod` the lecture looks at the kernel's messages with `dmesg`."""

from __future__ import annotations

from lkm.klog import find_reports, parse_log


def test_messages_of_a_module_are_found_in_what_dmesg_printed() -> None:
    shown = b"[ 4711.000123] Hello World!\n[ 4712.500000] Goodbye World!\n"
    assert [(one.seconds, one.text) for one in parse_log(shown)] == [
        (4711.000123, "Hello World!"),
        (4712.5, "Goodbye World!"),
    ]
    assert find_reports(parse_log(shown)) == ()
