# SPDX-License-Identifier: MIT
"""Module parameters: declared in `.modinfo`, defined in `__param`, their defaults in the data sections.

Layouts (include/linux/moduleparam.h, unchanged from 4.x to 7.x), offsets for 64 and 32 bits:
`struct kernel_param`: name 0, mod 8/4, ops 16/8, u16 perm 24/12, s8 level, u8 flags 27/15, arg 32/16.
`struct kparam_string`: unsigned max 0, char *string 8/4.
`struct kparam_array`: unsigned max 0, unsigned elemsize 4, num 8, ops 16/12, elem 24/16.
`struct kernel_param_ops`: unsigned flags 0, set 8/4, get 16/8, free.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lkm.elf import Elf
from lkm.module.pointer import Place, Pointers
from lkm.module.value import Parameter, ParameterValue

_OPS = "param_ops_"
_GET = "param_get_"
_FLAG_UNSAFE, _FLAG_HARDWARE = 1, 2  # KERNEL_PARAM_FL_UNSAFE, _HWPARAM
# How a value of each type lies in memory; "long" and "ulong" depend on the machine.
_FORMS = {
    "byte": "B",
    "short": "h",
    "ushort": "H",
    "int": "i",
    "uint": "I",
    "ullong": "Q",
    "hexint": "I",
    "bool": "B",
    "bool_enable_only": "B",
    "invbool": "B",
    "bint": "i",
}
_SWITCHES = {"bool", "invbool", "bool_enable_only"}
_MOST_ELEMENTS = 4096


@dataclass(frozen=True, slots=True)
class _Entry:
    """One `struct kernel_param`, its pointers followed."""

    name: str
    ops: str
    own_get: str
    permission: int
    flags: int
    argument: Place | None


def read_parameters(elf: Elf, information: tuple[tuple[str, str], ...]) -> tuple[Parameter, ...]:
    """All parameters: those of `.modinfo` in its order, then those that only `__param` has.

    Raises `BadInputError` where the file is cut off or lies.
    """
    declared = declared_parameters(information)
    pointers = Pointers(elf)
    for entry in _read_entries(elf, pointers):
        known = declared.get(entry.name, Parameter(entry.name, "", ""))
        declared[entry.name] = _define(known, entry, pointers)
    return tuple(declared.values())


def declared_parameters(information: Iterable[tuple[str, str]]) -> dict[str, Parameter]:
    """The parameters that `.modinfo` declares, by name, in its order."""
    declared: dict[str, Parameter] = {}
    for key, value in information:
        if key in {"parm", "parmtype"}:
            name, _, text = value.partition(":")
            old = declared.get(name, Parameter(name, "", ""))
            declared[name] = replace(old, type=text) if key == "parmtype" else replace(old, description=text)
    return declared


def _read_entries(elf: Elf, pointers: Pointers) -> list[_Entry]:
    section = elf.find_section("__param")
    if section is None:
        return []
    size = pointers.size
    row = 40 if size == 8 else 20
    data = elf.read_named("__param") or b""
    entries = []
    for start in range(0, len(data) - row + 1, row):
        base = Place("", section.index, start)
        place = pointers.follow(base)
        name = pointers.text(place) if place else None
        if not name:
            continue
        ops_at = base.plus(2 * size)
        permission, flags = struct.unpack_from(elf.order + "HxB", data, start + 3 * size)
        entries.append(
            _Entry(
                # In an image the name has its module before it; in a module's file it has not.
                name.rpartition(".")[2],
                *_read_ops(pointers, ops_at),
                permission,
                flags,
                pointers.follow(base.plus(row - size)),
            )
        )
    return entries


def _read_ops(pointers: Pointers, at: Place) -> tuple[str, str]:
    """The type by the name of its functions; for own functions "" and the type that `get` shows."""
    name = pointers.symbol_at(at)
    if name == "param_array_ops":
        return "array", ""
    place = pointers.follow(at)
    if name.startswith(_OPS) and place is not None and place.symbol:
        return name.removeprefix(_OPS), ""
    if place is None or place.symbol:
        return "", ""
    get = pointers.symbol_at(place.plus(2 * pointers.size))
    return "", get.removeprefix(_GET) if get.startswith(_GET) else ""


def _define(declared: Parameter, entry: _Entry, pointers: Pointers) -> Parameter:
    found = replace(
        declared,
        type=declared.type or entry.ops or entry.own_get,
        permission=entry.permission & 0o7777,
        kind=entry.ops,
        unsafe=bool(entry.flags & _FLAG_UNSAFE),
        hardware=bool(entry.flags & _FLAG_HARDWARE),
    )
    kept_as = entry.ops or entry.own_get
    if entry.argument is None:
        return found
    if kept_as == "array":
        return _define_array(found, entry.argument, pointers)
    if kept_as == "string":
        return _define_string(found, entry.argument, pointers)
    known, value = _read_value(kept_as, entry.argument, pointers)
    return replace(found, known=True, default=value, shown=_show(kept_as, value)) if known else found


def _define_string(found: Parameter, at: Place, pointers: Pointers) -> Parameter:
    head = pointers.read(at, 4)
    if head is None:
        return found
    (length,) = struct.unpack(pointers.elf.order + "I", head)
    found = replace(found, length=length)
    buffer = pointers.follow(at.plus(pointers.size))
    text = pointers.text(buffer) if buffer else None
    return found if text is None else replace(found, known=True, default=text, shown=text)


def _define_array(found: Parameter, at: Place, pointers: Pointers) -> Parameter:
    size, order = pointers.size, pointers.elf.order
    head = pointers.read(at, 8)
    if head is None:
        return found
    most, element_size = struct.unpack(order + "II", head)

    def pointer(number: int) -> Place | None:
        return pointers.follow(at.plus(8 + number * size))

    kind, own_get = _read_ops(pointers, at.plus(8 + size))
    kept_as, start, number_at = kind or own_get, pointer(2), pointer(0)
    found = replace(found, count=most, counted=number_at is not None, element=kind)
    if start is None or not 0 < most <= _MOST_ELEMENTS:
        return found
    values = []
    for number in range(most):
        known, value = _read_value(kept_as, start.plus(number * element_size), pointers)
        if not known or isinstance(value, tuple):
            return found
        values.append(value)
    # sysfs shows as many as were given (`*num`), or all where the module does not count them.
    raw = pointers.read(number_at, 4) if number_at else None
    given = min(struct.unpack(order + "I", raw)[0], most) if raw else most
    shown = ",".join(_show(kept_as, value) for value in values[:given])
    return replace(found, known=True, default=tuple(values), shown=shown)


def _read_value(kind: str, at: Place, pointers: Pointers) -> tuple[bool, ParameterValue]:
    """(whether it could be read, the value) of a variable of a plain type."""
    if kind == "charp":
        if pointers.read(at, pointers.size) is None:
            return False, None
        place = pointers.follow(at)
        if place is None:
            return True, None
        text = pointers.text(place)
        return text is not None, text
    form = _FORMS.get(kind, {"long": "q", "ulong": "Q"}.get(kind, "") if pointers.size == 8 else "")
    if not form and kind in {"long", "ulong"}:
        form = "i" if kind == "long" else "I"
    raw = pointers.read(at, struct.calcsize(pointers.elf.order + form)) if form else None
    if raw is None:
        return False, None
    (number,) = struct.unpack(pointers.elf.order + form, raw)
    return True, bool(number) if kind in _SWITCHES else number


def _show(kind: str, value: ParameterValue) -> str:
    """As kernel/params.c formats it for sysfs."""
    if kind in _SWITCHES:
        return "Y" if bool(value) != (kind == "invbool") else "N"
    if kind == "hexint":
        return f"{value:#08x}" if isinstance(value, int) else ""
    return "(null)" if value is None else str(value)
