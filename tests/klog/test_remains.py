# SPDX-License-Identifier: MIT
"""What is left of a report whose beginning is missing."""

from __future__ import annotations

import pytest

from lkm.klog import find_remains, find_reports, parse_log


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        (["RIP: 0010:show+0x5/0x20 [crash]", "RAX: 0000000000000000"], "show+0x5/0x20 [crash]"),
        (["pc : show+0x5/0x20 [crash]", "lr : start+0x10/0x20"], "show+0x5/0x20 [crash]"),
        (["RIP: 0033:0x403659", "---[ end trace 0000000000000000 ]---"], ""),
        (["---[ end Kernel panic - not syncing: no ]---"], ""),
        (["RIP: 0033:0x403659", "crash: size 3"], None),
    ],
)
def test_what_is_left_is_found(lines: list[str], left: str | None) -> None:
    log = parse_log("".join(f"[    3.{at:06}] {line}\n" for at, line in enumerate(lines)).encode())
    assert not find_reports(log)
    assert find_remains(log) == left
