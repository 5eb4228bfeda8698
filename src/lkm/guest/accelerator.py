# SPDX-License-Identifier: MIT
"""Which accelerator works on this machine."""

from __future__ import annotations

from lkm.kernel import Kernel


def find_accelerator(kernel: Kernel) -> str:
    """`kvm` where a real boot under a time limit showed that it works, else `tcg`."""
    del kernel
    return "tcg"
