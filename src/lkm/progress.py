# SPDX-License-Identifier: MIT
"""How a long step says how far it is; the library is silent, the command draws a bar."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Whoever shows a person that something long goes on."""

    def update(
        self, what: str, done: int = 0, total: int | None = None, *, left: float | None = None
    ) -> None:
        """`done` of `total` units of the step `what` are done; `total` is None where it is not known.

        `left`: seconds still to go, by whoever knows better than the rate so far.
        """


class Silent:
    """The library's default: nothing is shown."""

    def update(
        self, what: str, done: int = 0, total: int | None = None, *, left: float | None = None
    ) -> None:
        """Shows nothing."""
