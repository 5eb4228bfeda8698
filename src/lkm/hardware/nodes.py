# SPDX-License-Identifier: MIT
"""What programs see of the devices: network interfaces, input, screens, sound, clocks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lkm.hardware.root import Root
from lkm.hardware.value import Node

# Class below /sys/class, what we call it, and which of its names are devices of their own.
_CLASSES = (
    ("net", "network", r".*"),
    ("input", "input", r"input\d+"),
    ("drm", "graphics", r"card\d+"),
    ("graphics", "frame buffer", r"fb\d+"),
    ("sound", "sound", r"card\d+"),
    ("tpm", "TPM", r"tpm\d+"),
    ("rtc", "clock", r"rtc\d+"),
    ("watchdog", "watchdog", r"watchdog\d+"),
)


def read_nodes(root: Root) -> tuple[Node, ...]:
    """The nodes of a machine, class by class."""
    return tuple(node for one in _CLASSES for node in _read_class(root, *one))


def _read_class(root: Root, name: str, kind: str, pattern: str) -> Iterator[Node]:
    for entry in root.list(f"sys/class/{name}"):
        place = root.resolve(f"sys/class/{name}/{entry}")
        if place and re.fullmatch(pattern, entry):
            yield Node(kind, entry, _text(root, kind, place), _device(root, place))


def _text(root: Root, kind: str, place: str) -> str:
    if kind != "network":
        return root.read(f"{place}/name") or ""
    address, state = root.read(f"{place}/address"), root.read(f"{place}/operstate")
    speed = root.read_number(f"{place}/speed") or 0
    return ", ".join(one for one in (address, state, f"{speed} Mbit/s" if speed > 0 else "") if one)


def _device(root: Root, place: str) -> str:
    """The nearest device above that has a driver; "" for what is only in the kernel."""
    if place.startswith("sys/devices/virtual/"):
        return ""
    while place.count("/") > 1:
        if root.exists(f"{place}/driver"):
            return place
        place = place.rpartition("/")[0]
    return ""
