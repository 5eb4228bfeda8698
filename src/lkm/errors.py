# SPDX-License-Identifier: MIT
"""What can go wrong so that a question cannot be answered, each with the next thing to type.

A failed build, a refused or crashed module is a *result* and never an exception; an exception means
"could not find out".  Only `lkm.cli` turns one of these into an exit status.
"""

from __future__ import annotations


class LkmError(Exception):
    """Base of all errors `lkm` raises on purpose.

    `message` says what is wrong and names the file, option or symbol and the value; `hint` is the next
    thing to type, or an empty string.  `status` is the exit status of the command (see docs/cli.md).
    """

    status = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class BadInputError(LkmError):
    """The module, kernel or file that was given is bad (exit status 1)."""

    status = 1


class UsageError(LkmError):
    """The question itself was wrong: an unknown name, option or parameter (exit status 2)."""

    status = 2


class MissingError(LkmError):
    """Something is missing on this machine; `lkm doctor` says what (exit status 3)."""

    status = 3


class OutOfTimeError(LkmError):
    """A time limit was reached (exit status 124)."""

    status = 124


class GuestLostError(LkmError):
    """The guest ended or stopped answering (exit status 128)."""

    status = 128
