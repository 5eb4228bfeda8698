# SPDX-License-Identifier: MIT
"""What a faulting instruction followed, as the source writes it: `dev->name`.

Two ways lead there: the variable that debug information puts into the instruction's base register, and the
expressions on the source line whose member lies at the offset that was accessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
from lkm.decode.dwarf.variables import Variable, find_global, removed_parameters, variables_at

NEAR_NULL = 0x10000  # bytes from 0 that count as a member of what a NULL pointer points to

_TEXTS = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'|/\*.*?(?:\*/|$)|//.*')
_CHAIN = re.compile(r"(?<![\w.>])[A-Za-z_]\w*(?:\s*(?:->|\.)\s*[A-Za-z_]\w*|\s*\[[^\[\]]*\])+")
_LINK = re.compile(r"\s*(->|\.)\s*([A-Za-z_]\w*)|\s*\[([^\[\]]*)\]")
_STAR = re.compile(r"(\*[\s*]*)([A-Za-z_]\w*)(?!\s*(?:->|\.|\[|\(|\w))")
_DIVISOR = re.compile(r"[/%]=?\s*(?:\([\w\s*]+\)\s*)?([A-Za-z_]\w*(?:(?:->|\.)\w+)*)")
_CALLED = re.compile(r"([A-Za-z_]\w*(?:(?:->|\.)\w+)*)\s*\(")
# What is only measured is not accessed; `T` stands for a type as well as for a number.
_MEASURED = re.compile(r"\b(?:sizeof|offsetof|\w*typeof\w*)\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)")
_STATEMENT = re.compile(r"[^;{}]+")
_WORD_BEFORE = re.compile(r"([A-Za-z_]\w*)\s*$")
_BEFORE_VALUES = {"return", "else", "do", "case"}  # words that a dereference may follow
_DECLARATION = re.compile(r"\s*(?!(?:return|else|do|case|goto)\b)[A-Za-z_]\w*(?:\s*\*[\s*]*|\s+)[A-Za-z_]\w*")
_ASSIGNS = re.compile(r"\s*=(?!=)")
# Macros that write their first argument, and those that do either.
_WRITERS = re.compile(r"\bWRITE_ONCE\s*\($")
_EITHER = re.compile(r"\b(?:swap|xchg|cmpxchg|try_cmpxchg|(?:__)?get_user)\s*\([^()]*$")
_CHANGES = re.compile(r"\s*(?:(?:[-+*/%&|^]|<<|>>)=|\+\+|--)")
# An access through what is no plain name: `*(int *)READ_ONCE(p)`, `container_of(…)->a`, a loop over a list.
_OPAQUE = re.compile(r"\*\s*\((?!\s*\*)|\)\s*(?:->|\[)|\]\s*\(|\w*(?:for_each|_entry)\w*\s*\(")


class Followed(NamedTuple):
    """`expression`: what was accessed (`dev->name`, `*p`).  `pointer`: what was followed (`dev`).

    `offset`: of what was accessed in what `pointer` points to, in bytes.  `struct`: its type, or "".
    """

    expression: str
    pointer: str
    offset: int
    struct: str


class _Access(NamedTuple):
    """A place that an expression may access: `size` is how many bytes from `offset` on it can be.

    `how`: `read`, `write`, or "" for what may be either (`p->a += 1`, `&p->a`).  `root`: the variable whose
    own value is the pointer, "" where that was read from memory.  `sure`: the instruction may be this
    access; where the variable that it begins with is lost it is likelier another one.
    """

    followed: Followed
    size: int
    how: str = "read"
    root: str = ""
    sure: bool = True


class Seen(NamedTuple):
    """What is known of an access.  `base`: the register that was followed, "" where not known, and `value`
    what it held.  `offset`: bytes from where the pointer points to what was accessed.  `address`: that was
    accessed.  `how`: `read`, `write` or "".  `registers`: as they were at the instruction, if known.
    """

    offset: int
    base: str = ""
    value: int | None = None
    address: int | None = None
    how: str = ""
    registers: Mapping[str, int] = {}

    def may_be(self, value: int) -> bool:
        """Whether a pointer of this value can have been the one."""
        if self.address is not None:
            return (self.address - value + NEAR_NULL) % (1 << 64) < 2 * NEAR_NULL
        return self.value is None or value == self.value


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

    def is_lost(self, name: str) -> bool:
        """Whether what the source calls so has no value at the address, or none that is told."""
        variable = self.find(name)
        return variable is not None and variable.lost

    def in_called(self, text: str, offset: int) -> bool:
        """Whether what a function of the file that a line calls was given may be whose access it is.

        Compilers read for a function of the file what it would read through a pointer, and pass that on
        (`.isra`), or join what one that is put in reads with its caller's own instruction: the line is the
        caller's then.
        """
        if not self._scopes:
            return False
        names = {match[1] for match in _CALLED.finditer(text)}
        removed = removed_parameters(self._code.debug, self._scopes[0].unit, names)
        return any(_through(one, offset) is not None for one in removed)

    def in_register(self, register: str) -> list[Variable]:
        """The variables that live in a register, the innermost scope's first."""
        return [one for one in self._variables if register and one.register == register]


def find_followed(around: Surroundings, line: str, seen: Seen) -> Followed | None:
    """What was followed, as far as that is proved; `line`: the source line.

    Proved it is where a variable lives in the register that was followed; or where one pointer alone of the
    line fits in offset and direction, its variable has a value there, nothing known speaks against it, and
    neither the line nor what it calls accesses anything else that could be it.
    """
    text = _MEASURED.sub("T", strip_texts(line))
    accesses = list(_accesses(around, text))
    exact = [one.followed for one in accesses if one.followed.offset == seen.offset]
    by_register = _by_register(around, seen, [one.pointer for one in exact])
    if by_register is not None:
        return next((one for one in exact if one.pointer == by_register.pointer), by_register)
    fitting = [one for one in accesses if _fits(around, one, seen)]
    if (
        _OPAQUE.search(_without_declared(text, seen.how))
        or len({one.followed.pointer for one in fitting}) != 1
        or not all(one.sure for one in fitting)
        or around.in_called(text, seen.offset)
    ):
        return None
    return next((one.followed for one in fitting if one.followed in exact), fitting[0].followed)


def _fits(around: Surroundings, one: _Access, seen: Seen) -> bool:
    begin = one.followed.offset
    if seen.offset != begin and not begin <= seen.offset < begin + one.size:
        return False
    if one.how and seen.how and one.how != seen.how:
        return False
    variable = around.find(one.root) if one.root else None
    if variable is None or not variable.register:
        return True
    # It lives in a register: in another one than was followed, unless that is not known.
    value = seen.registers.get(variable.register)
    return value is None or seen.may_be(value)


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


def _by_register(around: Surroundings, seen: Seen, named: list[str]) -> Followed | None:
    """The variable in the register that was followed; of several, one that the line names."""
    found = [
        followed
        for variable in around.in_register(seen.base)
        if (followed := _through(variable, seen.offset)) is not None
    ]
    return next((one for one in found if one.pointer in named), found[0] if found else None)


def _through(variable: Variable, offset: int) -> Followed | None:
    target = pointed_to(variable.type) if is_pointer(variable.type) else None
    if target is None or variable.name.startswith("__"):
        return None
    name = struct_name(target)
    if name:
        path = member_path(target, offset)
        return Followed(f"{variable.name}->{path}", variable.name, offset, name) if path else None
    size = byte_size(target)
    if offset == 0:
        return Followed(f"*{variable.name}", variable.name, 0, "")
    if size and offset > 0 and offset % size == 0:
        return Followed(f"{variable.name}[{offset // size}]", variable.name, offset, "")
    return None


def _accesses(around: Surroundings, text: str) -> Iterator[_Access]:
    """Everything that a line may access through a pointer, where the types of its variables are known."""
    for statement in _STATEMENT.finditer(text):
        part = statement[0]
        for match in _CHAIN.finditer(part):
            yield from _chain(around, match, part)
        for match in _STAR.finditer(part):
            if not _is_declared(part, match.start()):
                yield from _stars(around, match, part)


def _is_declared(statement: str, at: int) -> bool:
    """Whether the star there stands in a declaration (`int *p`, `int a, *p`, a parameter) or multiplies."""
    before = statement[:at]
    word = _WORD_BEFORE.search(before)
    if word is not None:
        return word[1] not in _BEFORE_VALUES
    declares = _DECLARATION.match(statement) is not None and before.count("(") == before.count(")")
    return before.rstrip()[-1:] == "," and declares


def _without_declared(text: str, how: str) -> str:
    """A line without what is declared (`int (*f)(int)`, a function's head) and, where it is known that
    something was read, without the left side of an assignment to what is no plain name."""
    parts = []
    for statement in _STATEMENT.finditer(text):
        left, sign, right = statement[0].partition("=")
        if _DECLARATION.match(left):
            left = ""
        if sign and how == "read" and right[:1] != "=" and left[-1:] not in set("=!<>+-*/%&|^"):
            left = ""
        elif sign and how == "write" and right[:1] != "=" and left[-1:] not in {"=", "!", "<", ">"}:
            right = ""
        parts.append(f"{left}{sign}{right}")
    return ";".join(parts)


def _how(statement: str, begin: int, end: int) -> str:
    """Whether an expression there is read or written; "" where it is both, or only its address is taken."""
    before, after = statement[:begin].rstrip(), statement[end:]
    if _ASSIGNS.match(after) or _WRITERS.search(before):
        return "write"
    if _EITHER.search(before):
        return ""
    if _CHANGES.match(after) or before.endswith(("++", "--")):
        return ""
    is_address = before.endswith("&") and not before.endswith("&&")
    return "" if is_address else "read"


def _stars(around: Surroundings, match: re.Match[str], statement: str) -> Iterator[_Access]:
    """`*p`, and of `**p` first what `*p` is."""
    name, count = match[2], match[1].count("*")
    variable = around.find(name)
    kind = variable.type if variable is not None else None
    for level in range(1, count + 1):
        if not is_pointer(kind):
            return
        kind = pointed_to(kind)
        how = _how(statement, match.start(), match.end()) if level == count else "read"
        pointer = "*" * (level - 1) + name
        followed, root = Followed(f"*{pointer}", pointer, 0, ""), name * (level == 1)
        yield _Access(followed, byte_size(kind), how, root, not around.is_lost(name))


def _chain(around: Surroundings, match: re.Match[str], statement: str) -> Iterator[_Access]:
    accesses, kind = _links(around, match[0])
    if not accesses:
        return
    name = re.match(r"\w+", match[0])
    if name is not None and around.is_lost(name[0]):
        accesses = [one._replace(sure=False) for one in accesses]
    yield from accesses[:-1]
    begin, last = match.start(), accesses[-1]
    before = statement[:begin].rstrip()
    if before.endswith("*") and is_pointer(kind) and not _is_declared(statement, len(before) - 1):
        written, size = last.followed.expression, byte_size(pointed_to(kind))
        yield last
        how = _how(statement, len(before) - 1, match.end())
        yield last._replace(followed=Followed(f"*{written}", written, 0, ""), size=size, how=how, root="")
    else:
        yield last._replace(how=_how(statement, begin, match.end()))


def _links(around: Surroundings, text: str) -> tuple[list[_Access], Type | None]:
    """What a chain accesses, one pointer after the other, and the type of the last."""
    found: list[_Access] = []
    head = re.match(r"[A-Za-z_]\w*", text)
    variable = around.find(head[0]) if head else None
    if head is None or variable is None:
        return found, None
    kind: Type | None = variable.type
    written, current = head[0], None
    for link in _LINK.finditer(text, head.end()):
        operator, name, index = link[1], link[2], link[3]
        if operator == "->" or (operator is None and is_pointer(kind)):
            if current is not None:
                found.append(current)
            target = pointed_to(kind)
            pointer, struct, offset = written, struct_name(target), 0
            root = pointer if pointer == head[0] else ""
            if operator == "->":
                member = find_member(target, name)
                if member is None:
                    return found, None
                offset, kind = member.offset, member.type
                written += f"->{name}"
                size = byte_size(kind)
            else:
                offset, size = _at_index(index, byte_size(target))
                kind, written = target, f"{written}[{index.strip()}]"
            current = _Access(Followed(written, pointer, offset, struct), size, root=root)
        else:
            added, size, written, kind = _inner(kind, name, index, written)
            if kind is None and not size:
                break
            if current is not None:
                followed = current.followed
                followed = Followed(written, followed.pointer, followed.offset + added, followed.struct)
                current = current._replace(followed=followed, size=size)
    if current is not None:
        found.append(current)
    return found, kind


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
