# SPDX-License-Identifier: MIT
"""What a machine has, as /sys and /proc say it: this one, a copy, or what record.sh wrote elsewhere."""

from lkm.hardware.machine import read_machine
from lkm.hardware.root import Root, open_root
from lkm.hardware.value import Machine

__all__ = ["Machine", "Root", "open_root", "read_machine"]
