# SPDX-License-Identifier: MIT
"""What was read of a report: its fields, filled in as they come, the first word on each counting."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lkm.klog import body
from lkm.klog.frame import parse_place
from lkm.klog.report import Code, Frame, Kind, Place, Trace

MOST = 4096  # frames, registers or modules kept of one report; no kernel prints as many


@dataclass(slots=True)
class Facts:
    """The fields of `Report`, still open."""

    kind: Kind
    title: str
    first: int
    last: int
    at: Frame | None = None
    place: Place | None = None
    address: int | None = None
    access: str = ""
    size: int | None = None
    registers: dict[str, int] = field(default_factory=dict)
    code: Code | None = None
    traces: list[Trace] = field(default_factory=list)
    cpu: int = -1
    pid: int = -1
    comm: str = ""
    release: str = ""
    taint: str = ""
    arch: str = ""
    modules: list[str] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)

    def keep_cpu(self, match: re.Match[str]) -> None:
        """The line that names processor, process, taint and release."""
        groups = match.groupdict()
        if not self.release:
            self.taint = "".join((groups.get("taint") or "").split())
            self.release = groups.get("release") or ""
        self.keep({name: groups.get(name) for name in ("cpu", "pid", "comm")})

    def keep_modules(self, text: str) -> None:
        """Names with their flags in brackets, and which was unloaded last."""
        if (match := body.LAST_UNLOADED.search(text)) is not None:
            self.details.setdefault("last_unloaded", match["name"])
            text = text[: match.start()]
        for token in text.split():
            module = body.MODULE.fullmatch(token)
            if module is None or len(self.modules) >= MOST:
                continue
            if module["name"] not in self.modules[-64:]:
                self.modules.append(module["name"])
            for sign, state in (("+", "loading"), ("-", "unloading")):
                known = self.details.get(state, "").split()
                if sign in (module["flags"] or "") and module["name"] not in known:
                    self.details[state] = " ".join([*known, module["name"]])

    def keep(self, groups: dict[str, str | None]) -> None:
        """The named groups of a pattern: fields by their names, all others details."""
        if groups.get("path") and groups.get("line"):
            self.place = self.place or Place(str(groups["path"]), parse_number(str(groups["line"])))
        for name, value in groups.items():
            if value is None or name in ("path", "line"):
                continue
            if name in ("cpu", "pid"):
                if getattr(self, name) < 0:
                    setattr(self, name, parse_number(value))
            elif name == "address":
                self.address = int(value, 16) if self.address is None else self.address
            elif name == "size":
                self.size = parse_number(value) if self.size is None else self.size
            elif name == "at":
                self.at = self.at or parse_place(value)
            elif name == "access":
                word = value.lower()
                self.access = self.access or ("execute" if word.startswith("instruction") else word)
            elif name == "comm":
                self.comm = self.comm or value
            elif name == "lock" and self.details.get("lock", value) != value:
                self.details.setdefault("held_lock", value)
            elif name == "wnr":
                self.access = self.access or ("write" if value == "1" else "read")
            else:
                self.details.setdefault(name, value)


def parse_number(digits: str) -> int:
    """Decimal digits as they may stand in a damaged log; -1 where they are too many to mean anything."""
    return int(digits) if len(digits) <= 18 else -1
