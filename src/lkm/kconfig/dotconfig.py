# SPDX-License-Identifier: MIT
"""Configuration files: `CONFIG_X=value` and `# CONFIG_X is not set`, as confdata.c has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import BadInputError, UsageError

_LINE = re.compile(r"^(?:CONFIG_(\w+)=(.*)|# CONFIG_(\w+) is not set)[ \t\r]*$", re.MULTILINE)
_OPTION = re.compile(r"(?:CONFIG_)?([A-Za-z0-9_]+)(?:=(.*))?", re.DOTALL)
_LIMIT = 16 << 20
_NUMBER = re.compile(r"-?\d+|0[xX][0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Setting:
    """One option that was asked for: its name without `CONFIG_`, its value unquoted, where (`guest:12`)."""

    name: str
    value: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


def parse_config(text: str) -> dict[str, str]:
    """Option to value, strings unquoted, `n` for `is not set`; where one is there twice the last holds."""
    values = {}
    for name, value, unset in _LINE.findall(text):
        if unset:
            values[unset] = "n"
        else:
            values[name] = unquote(value)
    return values


def parse_settings(text: str, *, where: str) -> list[Setting]:
    """The options of a fragment in their order, each with the line it is on."""
    found = []
    for match in _LINE.finditer(text):
        name, value, unset = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        found.append(Setting(name or unset, "n" if unset else unquote(value), f"{where}:{line}"))
    return found


def parse_option(word: str, *, where: str = "the command line") -> Setting:
    """`OPTION=value`, with or without `CONFIG_`; raises `UsageError` for anything else."""
    match = _OPTION.fullmatch(word)
    if match is None or match[2] is None:
        raise UsageError(f"'{word}' is not of the form OPTION=VALUE", hint=f"lkm kernel configure {word}=y")
    return Setting(match[1], unquote(match[2]), where)


def unquote(value: str) -> str:
    """A value without the quotes and backslashes of a string."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def format_setting(name: str, value: str, *, kind: str = "") -> str:
    """A line of a configuration file; `kind` is the option's type, where it is known."""
    if value == "n" and kind not in ("string", "int", "hex"):
        return f"# CONFIG_{name} is not set\n"
    plain = kind in ("bool", "tristate", "int", "hex") or (
        kind != "string" and (value in ("y", "m") or _NUMBER.fullmatch(value))
    )
    if not plain:
        value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"CONFIG_{name}={value}\n"


def read_config_text(path: Path) -> str:
    """A configuration file's text, compressed by gzip (/proc/config.gz) or not.

    Raises `UsageError` where it is not there, `BadInputError` where it is none.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="a configuration file, such as .config") from error
    if data.startswith(b"\x1f\x8b"):
        import zlib

        try:
            data = zlib.decompressobj(31).decompress(data, _LIMIT)
        except zlib.error as error:
            raise BadInputError(f"{path}: {error}") from error
    text = data.decode("utf-8", "replace")
    if _LINE.search(text) is None:
        raise BadInputError(f"{path}: no line of it is a kernel option (CONFIG_X=y)")
    return text


def read_config(path: Path) -> dict[str, str]:
    """Option to value of a configuration file; raises as `read_config_text`."""
    return parse_config(read_config_text(path))


@dataclass(frozen=True, slots=True)
class Change:
    """One option in two configurations; None where it is not in one (its dependencies were not met there)."""

    name: str
    before: str | None
    after: str | None


def compare(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """All options that differ, by name; off and not there are one."""
    changes = []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one != other and (one or "n") != (other or "n"):
            changes.append(Change(name, one, other))
    return changes
