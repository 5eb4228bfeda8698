# SPDX-License-Identifier: MIT
"""What a faulting instruction followed, as the source writes it: `dev->name`.

Two ways lead there: the variable that debug information puts into the instruction's base register, and the
expressions on the source line whose member lies at the offset that was accessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from lkm.decode.code import CodeFile
from lkm.decode.dwarf.debug import Scope
from lkm.decode.dwarf.types import (
    Type,
    byte_size,
    find_member,
    is_pointer,
    member_path,
    pointed_to,
    struct_name,
)
from lkm.decode.dwarf.variables import Variable, find_global, variables_at

NEAR_NULL = 0x10000  # bytes from 0 that count as a member of what a NULL pointer points to

_TEXTS = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'|/\*.*?(?:\*/|$)|//.*')
_CHAIN = re.compile(r"(?<![\w.>])[A-Za-z_]\w*(?:\s*(?:->|\.)\s*[A-Za-z_]\w*|\s*\[[^\[\]]*\])+")
_LINK = re.compile(r"\s*(->|\.)\s*([A-Za-z_]\w*)|\s*\[([^\[\]]*)\]")
_STAR = re.compile(r"\*+\s*([A-Za-z_]\w*)(?!\s*(?:->|\.|\[|\(|\w))")
_DIVISOR = re.compile(r"[/%]=?\s*(?:\([\w\s*]+\)\s*)?([A-Za-z_]\w*(?:(?:->|\.)\w+)*)")
_CALLED = re.compile(r"([A-Za-z_]\w*(?:(?:->|\.)\w+)*)\s*\(")


class Followed(NamedTuple):
    """`expression`: what was accessed (`dev->name`, `*p`).  `pointer`: what was followed (`dev`).

    `offset`: of what was accessed in what `pointer` points to, in bytes.  `struct`: its type, or "".
    """

    expression: str
    pointer: str
    offset: int
    struct: str


class _Access(NamedTuple):
    """A place that an expression may access: `size` is how many bytes from `offset` on it can be."""

    followed: Followed
    size: int


class Surroundings:
    """The variables at an address of a module."""

    def __init__(self, code: CodeFile, address: int, scopes: list[Scope]) -> None:
        self._code = code
        self._scopes = scopes
        self._variables = list(variables_at(code.debug, scopes, address)) if scopes else []

    def find(self, name: str) -> Variable | None:
        """A variable by its name, as C finds it."""
        for one in self._variables:
            if one.name == name:
                return one
        return find_global(self._scopes[0].unit, name) if self._scopes else None

    def in_register(self, register: str) -> list[Variable]:
        """The variables that live in a register, the innermost scope's first."""
        return [one for one in self._variables if register and one.register == register]


def find_followed(around: Surroundings, line: str, *, base: str, offset: int) -> Followed | None:
    """What was followed.  `line`: the source line.  `base`: the register, "" where not known.

    `offset`: bytes from where the pointer points to what was accessed.
    """
    accesses = list(_accesses(around, line))
    exact = [one.followed for one in accesses if one.followed.offset == offset]
    by_register = _by_register(around, base, offset)
    if by_register is not None:
        same = [one for one in exact if one.pointer == by_register.pointer]
        return same[0] if same else by_register if not exact else exact[0]
    if exact:
        return exact[0]
    within = [one for one in accesses if one.followed.offset <= offset < one.followed.offset + one.size]
    return within[0].followed if within else None


def find_divisor(line: str) -> str:
    """What a line divides by, where it does so once; "" else."""
    found = {match[1] for match in _DIVISOR.finditer(strip_texts(line))}
    return found.pop() if len(found) == 1 else ""


def find_called(around: Surroundings, line: str) -> str:
    """The function pointer that a line calls (`ops->open`), "" where there is none or more than one."""
    found = []
    for match in _CALLED.finditer(strip_texts(line)):
        text = match[1]
        variable = around.find(re.split(r"->|\.", text)[0])
        if variable is not None and ("->" in text or "." in text or is_pointer(variable.type)):
            found.append(text)
    return found[0] if len(found) == 1 else ""


def strip_texts(line: str) -> str:
    """A line of C without its comments and what stands in quotes."""
    return _TEXTS.sub(lambda match: '""' if match[0][0] == '"' else " ", line)


def _by_register(around: Surroundings, base: str, offset: int) -> Followed | None:
    for variable in around.in_register(base):
        if not is_pointer(variable.type) or variable.name.startswith("__"):
            continue
        target = pointed_to(variable.type)
        if target is None:
            continue
        name = struct_name(target)
        if name:
            path = member_path(target, offset)
            if path:
                return Followed(f"{variable.name}->{path}", variable.name, offset, name)
            continue
        size = byte_size(target)
        if offset == 0:
            return Followed(f"*{variable.name}", variable.name, 0, "")
        if size and offset > 0 and offset % size == 0:
            return Followed(f"{variable.name}[{offset // size}]", variable.name, offset, "")
    return None


def _accesses(around: Surroundings, line: str) -> Iterator[_Access]:
    """Everything that a line may access through a pointer, where the types of its variables are known."""
    text = strip_texts(line)
    for match in _CHAIN.finditer(text):
        yield from _chain(around, match[0])
    for match in _STAR.finditer(text):
        variable = around.find(match[1])
        if variable is not None and is_pointer(variable.type):
            size = byte_size(pointed_to(variable.type))
            yield _Access(Followed(f"*{match[1]}", match[1], 0, ""), size)


def _chain(around: Surroundings, text: str) -> Iterator[_Access]:
    head = re.match(r"[A-Za-z_]\w*", text)
    variable = around.find(head[0]) if head else None
    if head is None or variable is None:
        return
    kind: Type | None = variable.type
    written, current = head[0], None
    for link in _LINK.finditer(text, head.end()):
        operator, name, index = link[1], link[2], link[3]
        if operator == "->" or (operator is None and is_pointer(kind)):
            if current is not None:
                yield current
            target = pointed_to(kind)
            pointer, struct, offset = written, struct_name(target), 0
            if operator == "->":
                member = find_member(target, name)
                if member is None:
                    return
                offset, kind = member.offset, member.type
                written += f"->{name}"
            else:
                offset, size = _at_index(index, byte_size(target))
                kind, written = target, f"{written}[{index.strip()}]"
                current = _Access(Followed(written, pointer, offset, struct), size)
                continue
            current = _Access(Followed(written, pointer, offset, struct), byte_size(kind))
        else:
            added, size, written, kind = _inner(kind, name, index, written)
            if kind is None and not size:
                break
            if current is not None:
                followed = current.followed
                current = _Access(
                    Followed(written, followed.pointer, followed.offset + added, followed.struct), size
                )
    if current is not None:
        yield current


def _inner(kind: Type | None, name: str, index: str, written: str) -> tuple[int, int, str, Type | None]:
    """A `.member` or an `[index]` of an array: offset added, bytes, how it is written, its type."""
    if name:
        member = find_member(kind, name)
        if member is None:
            return 0, 0, written, None
        return member.offset, byte_size(member.type), f"{written}.{name}", member.type
    inner = pointed_to(kind)
    added, size = _at_index(index, byte_size(inner))
    whole = byte_size(kind)
    return added, size if index.strip().isdigit() else whole, f"{written}[{index.strip()}]", inner


def _at_index(index: str, size: int) -> tuple[int, int]:
    """Offset and size of an element; of one whose index is not known beforehand, any that is near."""
    text = index.strip()
    if text.isdigit() and len(text) < 10:
        return int(text) * size, size
    return 0, NEAR_NULL
