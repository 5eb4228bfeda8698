# SPDX-License-Identifier: MIT
"""What a module registered and forgot, and the memory that repeated loading and unloading leaves behind.

Read from the guest's memory, from outside; see docs/leftovers.md.
"""
