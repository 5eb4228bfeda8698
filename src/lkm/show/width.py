# SPDX-License-Identifier: MIT
"""Texts in so many columns."""


def cut(text: str, width: int) -> str:
    """The start of a text in so many columns, with a sign where there is more."""
    return text if len(text) <= width else text[: width - 1] + "…"
