# SPDX-License-Identifier: MIT
"""Will a kernel take a module?  What is decided here is decided from files alone; no process is started.

`Ground` is a kernel as a loader (`read_ground`), `Situation` what else decides, `Verdict` the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lkm.kernel import Kernel
    from lkm.verdict.case import Situation
    from lkm.verdict.ground import Ground
    from lkm.verdict.probe import read_ground
    from lkm.verdict.rules import RULES
    from lkm.verdict.value import Finding, Rule, Taint, Verdict
    from lkm.verdict.walk import check_bytes, check_module, read_neighbours

_PLACES = {
    "Situation": "case",
    "check_bytes": "walk",
    "check_module": "walk",
    "read_neighbours": "walk",
    "Ground": "ground",
    "read_ground": "probe",
    "RULES": "rules",
    "Finding": "value",
    "Rule": "value",
    "Taint": "value",
    "Verdict": "value",
}

__all__ = [
    "RULES",
    "Finding",
    "Ground",
    "Rule",
    "Situation",
    "Taint",
    "Verdict",
    "check",
    "check_bytes",
    "check_module",
    "read_ground",
    "read_neighbours",
]


def __getattr__(name: str) -> object:
    if name in _PLACES:
        return getattr(import_module(f"lkm.verdict.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def check(
    module: Path | str,
    *,
    kernel: Kernel | str | None = None,
    parameters: Sequence[str] = (),
    loaded: Sequence[str] | None = None,
    cmdline: str = "",
    beside: Sequence[Path | str] = (),
) -> Verdict:
    """Whether `kernel` will load the module file `module`, and if not, which check refuses it and why.

    `kernel`: one, its name, or None for the one that `find_kernel()` gives.  `parameters`: `name=value`
    words.  `loaded`: names of the modules that are loaded; None where what the module needs is loaded before
    it.  `cmdline`: of the kernel.  `beside`: other module files whose exports count.  Raises
    `BadInputError` for a file that cannot be read and for a damaged kernel.
    """
    from lkm.kernel.find import given_kernel
    from lkm.verdict.case import Situation
    from lkm.verdict.probe import read_ground
    from lkm.verdict.walk import check_module, read_neighbours

    situation = Situation(
        tuple(parameters),
        None if loaded is None else frozenset(name.replace("-", "_") for name in loaded),
        cmdline,
        read_neighbours([Path(path) for path in beside]),
    )
    ground = read_ground(given_kernel(kernel, need_build=False))
    return check_module(Path(module), ground, situation)
