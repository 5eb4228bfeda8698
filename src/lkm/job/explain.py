# SPDX-License-Identifier: MIT
"""Why a load failed: the verdict that `lkm check` gives, beside what the kernel said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from errno import errorcode
from pathlib import Path

from lkm.errors import LkmError
from lkm.guest import Step
from lkm.kernel import Kernel
from lkm.klog import Record
from lkm.verdict import Situation, Verdict, check_module, read_ground, read_neighbours

_REPORTS = ("BUG: ", "kernel BUG at ", "divide error: ", "general protection fault", "invalid opcode: ")
_PLACE = re.compile(r"\bRIP: [0-9a-f]{4}:(\S+\+0x\S+(?: \[\w+\])?)")
_MOST_CAUSES = 3
# arch/x86/kernel/nmi.c, unknown_nmi_error; see guest.ending
_ASKED = "NMI received for unknown reason"
_FRAME = re.compile(r"(?:^|\s)(?!\?)([\w.]+\+0x[0-9a-f]+/0x[0-9a-f]+ \[\w+\])")


def explain_load(
    path: Path,
    step: Step,
    *,
    kernel: Kernel,
    parameters: str = "",
    loaded: Sequence[str] = (),
    cmdline: str = "",
    beside: Sequence[Path] = (),
) -> str:
    """Why the kernel refused a module and what to do, "" where nothing can be said.

    `parameters`: the string it was loaded with.  `loaded`: names of the modules that were loaded.
    `beside`: the other module files of the run.
    """
    situation = Situation((parameters,) if parameters else (), frozenset(loaded), cmdline)
    try:
        others = [one for one in beside if one != path]
        situation = Situation(
            situation.parameters, situation.loaded, situation.cmdline, read_neighbours(others)
        )
        verdict = check_module(path, read_ground(kernel), situation)
    except LkmError:
        return ""
    if verdict.loads:
        name = errorcode.get(step.errno, str(step.errno))
        if verdict.unproved:
            return f"{verdict.module}: -{name}; not known beforehand: {'; '.join(verdict.unproved)}"
        return f"the kernel itself had nothing against {verdict.module}: its init function returned -{name}"
    return explain_verdict(verdict)


def explain_verdict(verdict: Verdict) -> str:
    """The causes of a refusal in one text, each with what mends it."""
    causes = dict.fromkeys((one.why, one.hint) for one in verdict.findings if one.fatal)
    texts = [f"{why}: {hint}" if hint else why for why, hint in list(causes)[:_MOST_CAUSES]]
    more = f"; and {len(causes) - _MOST_CAUSES} more: lkm check" if len(causes) > _MOST_CAUSES else ""
    return "; ".join(texts) + more


def explain_oops(records: Sequence[Record]) -> str:
    """What the kernel said went wrong and where, from its report."""
    what = next((record.text for record in records if record.text.startswith(_REPORTS)), "")
    where = next((match[1] for record in records if (match := _PLACE.search(record.text))), "")
    if not what:
        return (
            "the call never came back and the kernel reported no bug: the module ended the process (do_exit)"
        )
    return f"{what}, in {where}" if where else what


def explain_hang(records: Sequence[Record], timeout: float) -> str:
    """Where a guest was that did not answer for `timeout` seconds, from what it was made to say."""
    asked = any(_ASKED in record.text for record in records)
    lines = [line for record in records for line in record.text.splitlines()]
    where = next((match[1] for line in lines if (match := _FRAME.search(line))), "")
    place = f", in {where}" if where else ""
    own = "; the panic above is only how lkm had it say where (an NMI)" if asked else ""
    return f"no answer within {timeout:g} s{place}{own}; --timeout gives it longer"
