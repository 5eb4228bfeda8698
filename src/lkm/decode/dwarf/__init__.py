# SPDX-License-Identifier: MIT
"""DWARF, versions 2 to 5: as much of it as leads from an address to source lines, variables and members."""
