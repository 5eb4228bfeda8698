# SPDX-License-Identifier: MIT
"""Module parameters as the kernel reads them."""

from __future__ import annotations

from collections.abc import Mapping

from lkm.errors import UsageError


def build_parameters(text: str, values: Mapping[str, object]) -> str:
    """`text` with `values` added, as init_module(2) takes them.

    True and False become Y and N, a list or tuple its values with commas between, and what holds white
    space is quoted: the kernel knows double quotes and no escape (lib/cmdline.c, next_arg).  Raises
    `UsageError` for a value with a double quote in it.
    """
    words = [text] if text else []
    for name, value in values.items():
        shown = _show(value)
        if '"' in shown or "\0" in shown or "\n" in shown:
            raise UsageError(
                f"parameter {name}: the kernel cannot be given a value with a quote in it: {shown}"
            )
        words.append(
            f'{name}="{shown}"' if any(c.isspace() for c in shown) or not shown else f"{name}={shown}"
        )
    return " ".join(words)


def _show(value: object) -> str:
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, (list, tuple)):
        return ",".join(_show(item) for item in value)
    return str(value)
