# SPDX-License-Identifier: MIT
"""`python -m lkm`."""

from lkm.cli import main

main()
