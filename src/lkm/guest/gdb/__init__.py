# SPDX-License-Identifier: MIT
"""A guest under gdb: stopped before a module's init function, its symbols at their addresses."""
