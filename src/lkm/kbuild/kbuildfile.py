# SPDX-License-Identifier: MIT
"""What a person's Kbuild file reaches beyond its own directory: whether its answer can be remembered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_CONDITION = re.compile(r"^\s*(?P<word>ifeq|ifneq|ifdef|ifndef|else|endif)\b\s*(?P<rest>.*)$")
_INCLUDE = re.compile(r"^\s*[-s]?include\s+(?P<words>.+)$")
# Same answer until the next boot (which is part of what is remembered).
_HARMLESS = re.compile(r"\$[({]shell\s+(?:uname(?:\s+-\w+)?|pwd|nproc)\s*[)}]")
_DOUBTFUL = re.compile(r"\$[({](?:shell|file|eval|guile|call\s+shell)\b|!=")
_WILDCARD = re.compile(r"\$[({]wildcard\s+([^)}]*)[)}]")
_REFERENCE = re.compile(r"\$[({](\w+)[)}]")
_ABOVE_OBJECT = re.compile(r"(?<![\w.])((?:\.\./)+)[\w./-]*\.o\b")


def active_lines(text: str) -> Iterator[str]:
    """The lines that Kbuild itself acts on: no comments, no recipes, not the branch for make by hand.

    The branch for make by hand is the one in which KERNELRELEASE is not set (the kernel's
    Documentation/kbuild/modules.rst, "Shared Makefile").  Other conditions may go either way: both count.
    """
    # One entry an open condition: None where either branch counts, else whether this branch does.
    open_conditions: list[bool | None] = []
    for line in _joined(text):
        match = _CONDITION.match(line)
        if match is None:
            if False not in open_conditions and not line.startswith("\t"):
                yield line
            continue
        word, rest = match["word"], match["rest"]
        if word == "endif":
            del open_conditions[-1:]
        elif word == "else":
            if open_conditions and open_conditions[-1] is not None:
                open_conditions[-1] = not open_conditions[-1]
        elif "KERNELRELEASE" in rest:
            open_conditions.append(word in ("ifneq", "ifdef"))
        else:
            open_conditions.append(None)


def find_doubt(text: str) -> str:
    """The line for which the answer of this Kbuild file may change with nothing in the source; or ""."""
    for line in active_lines(text):
        plain = _HARMLESS.sub("", line)
        if _DOUBTFUL.search(plain):
            return line.strip()
        for match in _WILDCARD.finditer(plain):
            if ".." in match[1] or re.search(r"(?:^|\s)/", match[1]):
                return line.strip()
    return ""


def find_includes(text: str, values: Mapping[str, str]) -> list[Path] | None:
    """The files that a Kbuild file includes, `$(name)` taken from `values`; None where one is not clear."""
    found = []
    for line in active_lines(text):
        match = _INCLUDE.match(line)
        if match is None:
            continue
        for word in match["words"].split():
            known = _REFERENCE.sub(lambda name: values.get(name[1], name[0]), word)
            if "$" in known or "*" in known or "?" in known or not known.startswith("/"):
                return None
            found.append(Path(known))
    return found


def objects_above(text: str) -> int:
    """How many directories up a Kbuild file makes objects: 1 for `m-y := main.o ../common/util.o`."""
    return max(
        (match[1].count("..") for line in active_lines(text) for match in _ABOVE_OBJECT.finditer(line)),
        default=0,
    )


def _joined(text: str) -> Iterator[str]:
    """Lines with continuations joined and comments taken away."""
    whole = ""
    for raw in text.splitlines():
        line = whole + raw
        if line.endswith("\\") and not line.endswith("\\\\"):
            whole = line[:-1] + " "
            continue
        whole = ""
        if not line.lstrip().startswith("#"):
            yield re.sub(r"(?<!\\)#.*$", "", line)
    if whole:
        yield whole
