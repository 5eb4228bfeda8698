# SPDX-License-Identifier: MIT
"""Whether the kernel would take a value for a parameter, and what it then is: its own rules, type by type.

Source: kernel/params.c (`parse_args`, `param_set_*`, `param_array`, `parameqn`), lib/kstrtox.c
(`kstrtoull`, `kstrtoll`, `kstrtobool`), the same in 6.1 to 7.x but for the letters of `kstrtobool`
(commit ae5b3500856f).  A test asks guests of several kernels the same.
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
_ON, _OFF = "yYtT1", "nNfF0"
_NEW_ON, _NEW_OFF = "eE", "dD"  # enabled, disabled
_NEW_WORDS_SINCE = (7, 0)  # 6.12 refuses them, 7.3 takes them
_DIGITS = re.compile(r"[0-9]*")
_OCTAL = re.compile(r"[0-7]*")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]*")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the kernel would do with `name=value`.

    `error` is an errno's name (`EINVAL`, `ERANGE`, `ENOSPC`) where loading would fail with it, else "".
    `reason` says why, or warns where `error` is "" (an unknown parameter is ignored, and only a warning
    is printed).  `shown`: the text in sysfs then; None where it is refused or not known.  `near`: a
    parameter that may have been meant.
    """

    name: str
    value: str | None
    error: str = ""
    reason: str = ""
    near: str = ""
    unknown: bool = False
    shown: str | None = None

    @property
    def good(self) -> bool:
        """Whether it is taken without a word."""
        return not self.reason


class _RefusedError(Exception):
    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.error = errno.errorcode[number]
        self.reason = reason


def check_values(
    parameters: Sequence[Parameter], words: Iterable[str], *, bits: int = 64, release: str = ""
) -> list[Answer]:
    """The kernel's answer to each word `name=value` or `name`.

    `bits` of the machine's `long`; `release` of the kernel, "" for the rules that all have in common.
    """
    return [check_value(parameters, word, bits=bits, release=release) for word in words]


def check_value(parameters: Sequence[Parameter], word: str, *, bits: int = 64, release: str = "") -> Answer:
    """The kernel's answer to one word of the parameter string; see `check_values`."""
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
        shown = _Rules(bits, _takes_new_words(release)).set(parameter, value)
    except _RefusedError as refused:
        return Answer(name, value, refused.error, refused.reason)
    reason = ""
    if parameter.unsafe:
        reason = f"setting '{parameter.name}' taints the kernel"
    elif not parameter.kind and parameter.permission is not None:
        reason = "the module's own function decides"
    return Answer(name, value, "", reason, shown=shown)


def _unquote(text: str) -> str:
    """As next_arg() of lib/cmdline.c leaves it."""
    if text.startswith('"'):
        text = text[1:]
        return text[:-1] if text.endswith('"') else text
    return text


def _takes_new_words(release: str) -> bool:
    match = re.match(r"(\d+)\.(\d+)", release)
    return match is not None and (int(match[1]), int(match[2])) >= _NEW_WORDS_SINCE


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules of one kernel.  Each function gives what sysfs shows then, or raises `_RefusedError`."""

    bits: int
    new_words: bool

    def set(self, parameter: Parameter, value: str | None) -> str | None:
        """`param_set_*` by the type; None where what it does is not known."""
        kind = parameter.kind or ("" if parameter.permission is not None else parameter.type)
        if value is None:
            if kind not in _NO_VALUE:
                raise _RefusedError(errno.EINVAL, f"'{parameter.name}' needs a value")
            value = "1"
        if kind == "array":
            return self._array(parameter, value)
        if kind == "string":
            size = _size(value)
            if parameter.length is not None and size + 1 > parameter.length:
                reason = f"the string has {size} bytes, {parameter.length - 1} fit"
                raise _RefusedError(errno.ENOSPC, reason)
            return value
        shown = self._plain(kind, value)
        if kind == "bool_enable_only" and shown == "N" and parameter.default is not False:
            raise _RefusedError(errno.EROFS, "once on it cannot be switched off")
        return shown

    def _array(self, parameter: Parameter, value: str) -> str | None:
        """`param_array`: one value after another, and only then whether there is room for the next."""
        given: list[str | None] = []
        for one in value.split(","):
            if len(given) == parameter.count:
                reason = f"{value.count(',') + 1} values, '{parameter.name}' can only take {parameter.count}"
                raise _RefusedError(errno.EINVAL, reason)
            try:
                given.append(self._plain(parameter.element, one))
            except _RefusedError as refused:
                reason = f"value {len(given) + 1}: {refused.reason}"
                raise _RefusedError(getattr(errno, refused.error), reason) from refused
        texts = [text for text in given if text is not None]
        if len(texts) < len(given):
            return None
        if not parameter.counted:
            # Without a count of its own all elements are shown, those not given as they were.
            before = parameter.shown.split(",") if parameter.known else []
            texts += before[len(texts) :] if len(before) == parameter.count else []
            if len(texts) != parameter.count:
                return None
        return ",".join(texts)

    def _plain(self, kind: str, value: str) -> str | None:
        if kind in _NUMBERS:
            size, signed = _NUMBERS[kind]
            number = _number(kind, value, self.bits if kind in {"long", "ulong"} else size, signed)
            return f"{number:#08x}" if kind == "hexint" else str(number)
        if kind in _SWITCHES:
            on = self._switch(value)
            return str(int(on)) if kind == "bint" else "Y" if on else "N"
        if kind == "charp":
            if _size(value) > _LONGEST_CHARP:
                raise _RefusedError(errno.ENOSPC, f"the text has {_size(value)} bytes, {_LONGEST_CHARP} fit")
            return value
        return None

    def _switch(self, value: str) -> bool:
        found = parse_switch(value, new_words=self.new_words)
        if found is not None:
            return found
        if value[:1] and value[0] in _NEW_ON + _NEW_OFF:
            raise _RefusedError(errno.EINVAL, f"'{value}' is taken by the newest kernels only; use Y or N")
        raise _RefusedError(
            errno.EINVAL,
            f"'{value}' is not a switch: a word that begins with y, t, 1, n, f or 0, or on, off",
        )


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _number(kind: str, value: str, size: int, signed: bool) -> int:
    low, high = (-(1 << size - 1), (1 << size - 1) - 1) if signed else (0, (1 << size) - 1)
    number, rest = parse_number(value)
    text = value.removesuffix("\n")
    if not signed and text.startswith("-"):
        raise _RefusedError(errno.EINVAL, f"'{text}' is negative, {kind} takes {low} to {high}")
    if number is None:
        raise _RefusedError(errno.EINVAL, f"'{text}' is not a number (decimal, 0x hexadecimal, 0 octal)")
    # Overflow of 64 bits is noticed before what follows the digits.
    if abs(number) >= 1 << 64:
        raise _RefusedError(errno.ERANGE, f"{text} does not fit, {kind} takes {low} to {high}")
    if rest:
        raise _RefusedError(errno.EINVAL, f"'{text}' is not a number: '{rest}' follows the digits")
    if not low <= number <= high:
        raise _RefusedError(errno.ERANGE, f"{text} does not fit, {kind} takes {low} to {high}")
    return number


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


def parse_switch(text: str, *, new_words: bool = False) -> bool | None:
    """What kstrtobool() reads: by the first letter, `on` and `off` by the second; None where it refuses.

    `new_words`: as the newest kernels do, also words that begin with e and d (enabled, disabled).
    """
    first = text[:1]
    if not first:
        return None
    if first in _ON + (_NEW_ON if new_words else ""):
        return True
    if first in _OFF + (_NEW_OFF if new_words else ""):
        return False
    if first in "oO" and text[1:2]:
        return True if text[1] in "nN" else False if text[1] in "fF" else None
    return None
