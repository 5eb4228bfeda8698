# SPDX-License-Identifier: MIT
"""Module parameters as the kernel reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lkm.errors import UsageError

_PARAMETER = re.compile(rb"\bparmtype=(\w+):")
# Taken by the kernel for any module (lib/dynamic_debug.c, kernel/module/main.c: unknown_module_param_cb).
ANY_MODULE = ("dyndbg", "async_probe")


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


def check_names(module: str, image: bytes, values: Mapping[str, object]) -> None:
    """Raises `UsageError` where `image`, the module's file, has no parameter of a name in `values`.

    Each has a string `parmtype=NAME:TYPE` in .modinfo (include/linux/moduleparam.h).
    """
    for name in values:
        if b"parmtype=%b:" % name.encode() not in image and name not in ANY_MODULE:
            known = sorted(one.decode() for one in _PARAMETER.findall(image))
            has = f"it has: {', '.join(known)}" if known else "it has none"
            raise UsageError(f"{module} has no parameter '{name}'", hint=has)


def _show(value: object) -> str:
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, (list, tuple)):
        return ",".join(_show(item) for item in value)
    return str(value)
