# SPDX-License-Identifier: MIT
"""Parameters and the kernel's answers to values for them, for a person and for a machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lkm.module import Parameter
from lkm.module.rules import Answer
from lkm.show.info import (
    default_text,
    parameter_json,
    parameter_notes,
    permission_text,
    printable,
    type_text,
)

SCHEMA = 1


def params_json(name: str, parameters: Sequence[Parameter], answers: Sequence[Answer]) -> dict[str, Any]:
    """The object of `lkm params --json`."""
    return {
        "schema": SCHEMA,
        "name": name,
        "parameters": [parameter_json(one) for one in parameters],
        "values": [
            {
                "name": one.name,
                "value": one.value,
                "accepted": not one.error,
                "error": one.error or None,
                "reason": one.reason,
                "near": one.near or None,
                "shown": one.shown,
            }
            for one in answers
        ],
    }


def params_lines(parameters: Sequence[Parameter]) -> list[str]:
    """The table: name, type, default, permission, description."""
    if not parameters:
        return ["no parameters"]
    rows = [("NAME", "TYPE", "DEFAULT", "MODE", "IN SYSFS")]
    for one in parameters:
        mode = "?" if one.permission is None else f"{one.permission:04o}"
        default = printable(default_text(one)) if one.known else "?"
        meaning = "; ".join([permission_text(one.permission), *parameter_notes(one)])
        rows.append((one.name, type_text(one), default, mode, meaning))
    widths = [min(max(len(row[column]) for row in rows), 32) for column in range(4)]
    lines = []
    for number, row in enumerate(rows):
        cells = [printable(cell).ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[4]]).rstrip())
        if number and parameters[number - 1].description:
            lines.append(f"    {printable(parameters[number - 1].description)}")
    return lines


def answer_line(answer: Answer) -> str:
    """What the kernel would say to a value."""
    word = answer.name if answer.value is None else f"{answer.name}={answer.value}"
    if answer.good:
        other = answer.shown is not None and answer.shown != answer.value
        return f"{printable(word)}: accepted" + (f", as {printable(answer.shown or '')}" if other else "")
    near = f"; did you mean {answer.near}?" if answer.near else ""
    if answer.error:
        return f"{printable(word)}: refused with {answer.error}: {printable(answer.reason)}{near}"
    return f"{printable(word)}: {printable(answer.reason)}{near}"
