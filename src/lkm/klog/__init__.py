# SPDX-License-Identifier: MIT
"""The kernel log: printk records from every source, and the reports (oops, warning, KASAN…) in them."""

from importlib import import_module
from typing import TYPE_CHECKING

from lkm.klog.record import Record, format_record, log_text, parse_console, parse_kmsg

if TYPE_CHECKING:
    from lkm.klog.find import find_reports
    from lkm.klog.log import parse_log
    from lkm.klog.remains import find_remains
    from lkm.klog.report import Code, Frame, Kind, Place, Report, Trace

# Reports are looked for only where something went wrong: `lkm run` does without the rest until then.
_WHERE = {
    "find": ("find_reports",),
    "log": ("parse_log",),
    "remains": ("find_remains",),
    "report": ("Code", "Frame", "Kind", "Place", "Report", "Trace"),
}
_PLACE = {name: place for place, names in _WHERE.items() for name in names}

__all__ = [
    "Code",
    "Frame",
    "Kind",
    "Place",
    "Record",
    "Report",
    "Trace",
    "find_remains",
    "find_reports",
    "format_record",
    "log_text",
    "parse_console",
    "parse_kmsg",
    "parse_log",
]


def __getattr__(name: str) -> object:
    place = _PLACE.get(name)
    if place is None:
        raise AttributeError(f"module 'lkm.klog' has no attribute '{name}'")
    return getattr(import_module(f"lkm.klog.{place}"), name)
