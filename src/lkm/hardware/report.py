# SPDX-License-Identifier: MIT
"""A machine together with what a kernel says of its devices."""

from __future__ import annotations

from dataclasses import dataclass

from lkm.hardware.service import Kernel, Need, Service, find_needs, find_services
from lkm.hardware.value import Machine


@dataclass(frozen=True, slots=True)
class Report:
    """`kernel`: whose modules were asked, "" for none; `sources`: whose Makefiles, "" for none.

    `running`: whether it is the kernel that the machine runs.
    """

    machine: Machine
    kernel: str
    running: bool
    sources: str
    services: tuple[Service, ...]
    needs: tuple[Need, ...]


def build_report(machine: Machine, kernel: Kernel, *, sources: str = "") -> Report:
    """Who serves what, in this machine, by what `kernel` knows."""
    services = find_services(machine, kernel)
    running = kernel.release != "" and kernel.release == machine.release
    return Report(machine, kernel.name, running, sources, services, find_needs(machine, services, kernel))
