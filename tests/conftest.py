# SPDX-License-Identifier: MIT
"""What all tests share."""

import sys
from pathlib import Path

# Makers of test data that several test files import by name.
sys.path.insert(0, str(Path(__file__).parent / "support"))
