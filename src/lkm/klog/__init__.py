# SPDX-License-Identifier: MIT
"""printk records: parsing and showing them."""

from lkm.klog.record import Record, format_record, log_text, parse_console, parse_kmsg

__all__ = ["Record", "format_record", "log_text", "parse_console", "parse_kmsg"]
