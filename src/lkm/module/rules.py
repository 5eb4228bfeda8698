# SPDX-License-Identifier: MIT
"""Whether the kernel would take a value for a parameter: its own rules, type by type.

Source: kernel/params.c (`parse_args`, `param_set_*`, `param_array`, `parameqn`), lib/kstrtox.c
(`kstrtoull`, `kstrtoll`, `kstrtobool`), the same in 6.1 to 7.x but for the letters of `kstrtobool`.
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lkm.module.value import Parameter

_LONGEST_CHARP = 1024  # param_set_charp: longer gives ENOSPC
# (bits, signed) of each number type on a 64-bit machine; "long" and "ulong" shrink on a 32-bit one.
_NUMBERS = {
    "byte": (8, False),
    "short": (16, True),
    "ushort": (16, False),
    "int": (32, True),
    "uint": (32, False),
    "long": (64, True),
    "ulong": (64, False),
    "ullong": (64, False),
    "hexint": (32, False),
}
_SWITCHES = {"bool", "invbool", "bint", "bool_enable_only"}
# Types that may be named without a value: KERNEL_PARAM_OPS_FL_NOARG.
_NO_VALUE = {"bool", "bint", "bool_enable_only"}
# Parameters that every module has (kernel/module/main.c, unknown_module_param_cb).
_EVERY_MODULE = ("async_probe", "dyndbg")
_DIGITS = re.compile(r"[0-9]*")
_OCTAL = re.compile(r"[0-7]*")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]*")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the kernel would do with `name=value`.

    `error` is an errno's name (`EINVAL`, `ERANGE`, `ENOSPC`) where loading would fail with it, else "".
    `reason` says why, or warns where `error` is "" (an unknown parameter is ignored, and only a warning
    is printed).  `near`: a parameter that may have been meant.
    """

    name: str
    value: str | None
    error: str = ""
    reason: str = ""
    near: str = ""
    unknown: bool = False

    @property
    def good(self) -> bool:
        """Whether it is taken without a word."""
        return not self.reason


class _RefusedError(Exception):
    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.error = errno.errorcode[number]
        self.reason = reason


def check_values(parameters: Sequence[Parameter], words: Iterable[str], *, bits: int = 64) -> list[Answer]:
    """The kernel's answer to each word `name=value` or `name`; `bits` of the machine's `long`."""
    return [check_value(parameters, word, bits=bits) for word in words]


def check_value(parameters: Sequence[Parameter], word: str, *, bits: int = 64) -> Answer:
    """The kernel's answer to one word of the parameter string."""
    name, equals, text = word.partition("=")
    value = _unquote(text) if equals else None
    wanted = name.replace("-", "_")
    for parameter in parameters:
        if parameter.name.replace("-", "_") == wanted:
            break
    else:
        if wanted in _EVERY_MODULE:
            return Answer(name, value)
        near = difflib.get_close_matches(wanted, [parameter.name for parameter in parameters], n=1)
        reason = f"unknown parameter '{name}' is ignored, with a warning"
        return Answer(name, value, "", reason, near[0] if near else "", unknown=True)
    try:
        _check(parameter, value, bits)
    except _RefusedError as refused:
        return Answer(name, value, refused.error, refused.reason)
    if parameter.unsafe:
        return Answer(name, value, "", f"setting '{parameter.name}' taints the kernel")
    if not parameter.kind and parameter.permission is not None:
        return Answer(name, value, "", "the module's own function decides")
    return Answer(name, value)


def _unquote(text: str) -> str:
    """As next_arg() of lib/cmdline.c leaves it."""
    if text.startswith('"'):
        text = text[1:]
        return text[:-1] if text.endswith('"') else text
    return text


def _check(parameter: Parameter, value: str | None, bits: int) -> None:
    kind = parameter.kind or ("" if parameter.permission is not None else parameter.type)
    if value is None:
        if kind in _NO_VALUE:
            return
        raise _RefusedError(errno.EINVAL, f"'{parameter.name}' needs a value")
    if kind == "array":
        _check_array(parameter, value, bits)
    elif kind == "string":
        if parameter.length is not None and len(value.encode()) + 1 > parameter.length:
            raise _RefusedError(
                errno.ENOSPC, f"the string has {len(value.encode())} bytes, {parameter.length - 1} fit"
            )
    else:
        _check_plain(kind, value, bits)


def _check_array(parameter: Parameter, value: str, bits: int) -> None:
    values = value.split(",")
    if parameter.count is not None and len(values) > parameter.count:
        raise _RefusedError(
            errno.EINVAL, f"{len(values)} values, '{parameter.name}' can only take {parameter.count}"
        )
    for number, one in enumerate(values, 1):
        try:
            _check_plain(parameter.element, one, bits)
        except _RefusedError as refused:
            raise _RefusedError(
                getattr(errno, refused.error), f"value {number}: {refused.reason}"
            ) from refused


def _check_plain(kind: str, value: str, bits: int) -> None:
    if kind in _NUMBERS:
        size, signed = _NUMBERS[kind]
        if kind in {"long", "ulong"}:
            size = bits
        _check_number(kind, value, size, signed)
    elif kind in _SWITCHES:
        _check_switch(value)
        if kind == "bool_enable_only" and parse_switch(value) is False:
            raise _RefusedError(errno.EROFS, "it can be switched on only")
    elif kind == "charp" and len(value.encode()) > _LONGEST_CHARP:
        raise _RefusedError(errno.ENOSPC, f"the text has {len(value.encode())} bytes, {_LONGEST_CHARP} fit")


def _check_number(kind: str, value: str, size: int, signed: bool) -> None:
    low, high = (-(1 << size - 1), (1 << size - 1) - 1) if signed else (0, (1 << size) - 1)
    number, rest = parse_number(value)
    text = value.removesuffix("\n")
    if number is None:
        if not signed and text.startswith("-"):
            raise _RefusedError(errno.EINVAL, f"'{text}' is negative, {kind} takes {low} to {high}")
        raise _RefusedError(errno.EINVAL, f"'{text}' is not a number (decimal, 0x hexadecimal, 0 octal)")
    if not signed and text.startswith("-"):
        raise _RefusedError(errno.EINVAL, f"'{text}' is negative, {kind} takes {low} to {high}")
    # Overflow of 64 bits is noticed before what follows the digits.
    if abs(number) >= 1 << 64:
        raise _RefusedError(errno.ERANGE, f"{text} does not fit, {kind} takes {low} to {high}")
    if rest:
        raise _RefusedError(errno.EINVAL, f"'{text}' is not a number: '{rest}' follows the digits")
    if not low <= number <= high:
        raise _RefusedError(errno.ERANGE, f"{text} does not fit, {kind} takes {low} to {high}")


def parse_number(text: str) -> tuple[int | None, str]:
    """What kstrtoll() reads with base 0, without its ranges: (number or None, what follows the digits).

    A sign may come first; `0x` and a digit begin hexadecimal, `0` octal; one newline may end it.
    """
    negative = text.startswith("-")
    body = text[1:] if negative or text.startswith("+") else text
    base, pattern = 10, _DIGITS
    if body[:1] == "0":
        if body[1:2] in {"x", "X"} and body[2:3] and body[2] in "0123456789abcdefABCDEF":
            base, pattern, body = 16, _HEXADECIMAL, body[2:]
        else:
            base, pattern = 8, _OCTAL
    found = pattern.match(body)
    digits = found[0] if found else ""
    if not digits:
        return None, body
    number = int(digits, base)
    return -number if negative else number, body[len(digits) :].removesuffix("\n")


def parse_switch(text: str) -> bool | None:
    """What kstrtobool() reads: by the first letter, `on` and `off` by the second; None where it refuses.

    Linux 7.x also takes words that begin with e and d (enable, disable); older ones refuse them.
    """
    first = text[:1]
    if first and first in "yYtT1":
        return True
    if first and first in "nNfF0":
        return False
    if first and first in "oO" and text[1:2]:
        return True if text[1] in "nN" else False if text[1] in "fF" else None
    return None


def _check_switch(value: str) -> None:
    if parse_switch(value) is not None:
        return
    if value[:1] and value[0] in "eEdD":
        raise _RefusedError(errno.EINVAL, f"'{value}' is taken by the newest kernels only; use Y or N")
    raise _RefusedError(
        errno.EINVAL, f"'{value}' is not a switch: a word that begins with y, t, 1, n, f or 0, or on, off"
    )
