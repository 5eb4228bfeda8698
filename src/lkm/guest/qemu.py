# SPDX-License-Identifier: MIT
"""Which QEMU there is and what it can do, asked once per build of it and remembered."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lkm import process
from lkm.errors import MissingError
from lkm.guest.identity import file_identity
from lkm.guest.memory import recall, remember
from lkm.process import find_program

_ASK = b'{"execute":"qmp_capabilities"}{"execute":"quit"}'
_SANDBOX = ("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")


@dataclass(frozen=True, slots=True)
class Qemu:
    """One QEMU program: `version` as its monitor gives it, `sandbox` whether it can confine itself."""

    path: Path
    version: str
    sandbox: bool

    @property
    def argv(self) -> tuple[str, ...]:
        """The program with what every use of it begins with."""
        confined = _SANDBOX if self.sandbox else ()
        return (str(self.path), "-nodefaults", "-no-user-config", "-display", "none", *confined)


def find_qemu(arch: str) -> Qemu:
    """QEMU for that machine (`uname -m`); raises `MissingError` where it is not installed."""
    name = f"qemu-system-{arch}"
    path = find_program(name)
    if path is None:
        raise MissingError(f"{name} is not on this machine", hint="lkm doctor")
    identity = json.dumps(file_identity(path))
    known = recall("qemu", identity)
    if known is not None:
        return Qemu(path, str(known["version"]), bool(known["sandbox"]))
    found = _ask(path)
    remember("qemu", identity, {key: value for key, value in asdict(found).items() if key != "path"})
    return found


def _ask(path: Path) -> Qemu:
    said = ""
    for sandbox in (True, False):
        candidate = Qemu(path, "", sandbox)
        result = process.run([*candidate.argv, "-machine", "none", "-qmp", "stdio"], stdin=_ASK, timeout=30)
        said = result.stderr.strip()
        try:
            greeting: dict[str, Any] = json.loads(result.stdout.splitlines()[0])["QMP"]["version"]
            numbers = greeting["qemu"]
            version = f"{numbers['major']}.{numbers['minor']}.{numbers['micro']}"
        except (IndexError, KeyError, ValueError):
            continue
        if result.status == 0:
            return Qemu(path, version, sandbox)
    raise MissingError(
        f"{path} does not start: {said.splitlines()[-1] if said else 'it said nothing'}", hint="lkm doctor"
    )
