# SPDX-License-Identifier: MIT
"""Why a load failed: the verdict that `lkm check` gives, beside what the kernel said."""

from __future__ import annotations

from collections.abc import Sequence
from errno import errorcode
from pathlib import Path

from lkm.errors import LkmError
from lkm.guest import Detail, End, Ending, Step
from lkm.kernel import Kernel
from lkm.verdict import Situation, Verdict, check_module, read_ground, read_neighbours

_MOST_CAUSES = 3


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


# An oops without a report of the kernel's: the thread that called the module ended within it.
NO_REPORT = "the call never came back and the kernel reported no bug: the module ended the process (do_exit)"
# What to look for, by the way in which a guest ended.
_ADVICE = {
    Detail.LOOPING: "what should end its loop?",
    Detail.INTERRUPTS_OFF: "what should turn the interrupts on again (local_irq_restore, spin_unlock_irq)?",
    Detail.LOCK: "who holds that lock? a --kernel with CONFIG_PROVE_LOCKING names it (docs/debug-kernel.md)",
    Detail.ASLEEP: "who should wake it?",
    Detail.FLOOD: "pr_info_ratelimited() prints less",
    Detail.OUT_OF_MEMORY: "free what it takes; --memory 1024 gives the guest more",
    Detail.OOPS: "a kernel survives no bug in an interrupt, or with panic_on_oops; the log says where",
    Detail.TRIPLE_FAULT: "look for what changes the interrupt table, page tables or the stack pointer; "
    "lkm run --gdb goes there step by step",
    Detail.RESTARTED: "look for kernel_restart(), emergency_restart() and writes to port 0x64",
    Detail.OFF: "look for kernel_power_off() and orderly_poweroff()",
    Detail.HALTED: "look for kernel_halt()",
}


def explain_ending(ending: Ending, timeout: float, *, oopsed: bool = False) -> str:
    """What to look at, and to type next, after a guest that ended so; `timeout` in seconds is what it had.

    `oopsed`: its kernel had reported a bug before.
    """
    if oopsed and ending.end is End.HANG:
        return "the kernel had met a bug before; that it hung is most likely what came of it"
    advice = _ADVICE.get(ending.detail, "")
    parts = [] if advice.endswith("?") else [advice]
    if ending.end is End.HANG:
        parts.append(f"--timeout {max(timeout * 4, 1):g} where it only needs longer than {timeout:g} s")
        if ending.words:
            parts.append(ending.words)
    text = "; ".join(filter(None, parts))
    return f"{advice} {text}" if advice.endswith("?") else text
