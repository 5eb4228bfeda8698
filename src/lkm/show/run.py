# SPDX-License-Identifier: MIT
"""What a run came to, for a person and for a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lkm.guest import Detail, Ending, Step
from lkm.job import ModuleResult, Outcome, RunResult

if TYPE_CHECKING:
    from lkm.decode import Decoded
    from lkm.leftovers.cycles import Cycles
    from lkm.leftovers.value import Leftover

# Version of the JSON that `lkm run --json` prints; documented in docs/json.md.
SCHEMA = 1

_SENTENCE = {
    Outcome.BUILD_FAILED: "the module source does not build",
    Outcome.LOAD_FAILED: "the kernel refused the module",
    Outcome.EXEC_FAILED: "the command failed",
    Outcome.UNLOAD_FAILED: "the kernel refused to unload the module",
    Outcome.OOPS: "the kernel met a bug and went on; it is not to be trusted any more",
    Outcome.PANIC: "the kernel gave up",
    Outcome.HANG: "no answer within the time limit",
    Outcome.POWERED_OFF: "the machine was powered off or reset",
    Outcome.GUEST_LOST: "the guest ended by itself",
}
_DETAILS = {
    Detail.LOOPING: "it runs without end",
    Detail.INTERRUPTS_OFF: "it runs without end, with interrupts off",
    Detail.LOCK: "it waits for a lock that nobody gives back",
    Detail.ASLEEP: "it sleeps and nothing wakes it",
    Detail.FLOOD: "it prints without end",
    Detail.OOPS: "the kernel met a bug where it cannot go on",
    Detail.OUT_OF_MEMORY: "the kernel ran out of memory",
    Detail.OFF: "the machine was switched off",
    Detail.RESTARTED: "the machine was restarted",
    Detail.HALTED: "the machine was halted",
    Detail.TRIPLE_FAULT: "the processor gave up (triple fault): a fault while it handled a fault",
    Detail.RESET: "the machine was restarted, or its processor gave up (triple fault)",
}
_CONTEXTS = {
    "init": "in the init function",
    "exit": "in the exit function",
    "timer": "in a timer",
    "tasklet": "in a tasklet",
    "softirq": "in a soft interrupt",
    "interrupt": "in an interrupt handler",
    "work": "in a work item",
    "thread": "in a kernel thread",
    "system call": "in a system call",
}


def run_json(result: RunResult) -> dict[str, Any]:
    """The object that `lkm run --json` prints."""
    ran = result.exec
    return {
        "schema": SCHEMA,
        "outcome": result.outcome.value,
        "clean": result.clean,
        "kernel": {
            "release": result.kernel.release,
            "name": result.kernel.name,
            "arch": result.kernel.arch,
        },
        "accelerator": result.accelerator,
        "modules": [_module_json(module) for module in result.modules],
        "exec": None if ran is None else {"status": ran.status, "stdout": ran.stdout, "stderr": ran.stderr},
        "log": [
            {"seq": one.seq, "seconds": one.seconds, "level": one.level, "text": one.text}
            for one in result.log
        ],
        "timing": {
            name: round(getattr(result.timing, name), 6)
            for name in ("build", "start", "load", "unload", "total")
        },
        "diagnostics": [
            {
                "path": str(one.path) if one.path is not None else None,
                "line": one.line,
                "column": one.column,
                "severity": one.severity,
                "text": one.text,
                "option": one.option,
            }
            for built in result.built
            for one in built.diagnostics
        ],
        "left_out": result.left_out,
        "ending": None if result.ending is None else _ending_json(result.ending),
        "hint": result.hint,
        "leftovers": None if result.leftovers is None else _leftovers_json(result.leftovers),
        "cycles": None if result.cycles is None else _cycles_json(result.cycles),
        "reports": _reports_json(result.reports) if result.reports else [],
    }


def _reports_json(reports: tuple[Decoded, ...]) -> list[dict[str, Any]]:
    from lkm.show.decode import decoded_json  # most runs have none

    return [decoded_json(one) for one in reports]


def _leftovers_json(leftovers: tuple[Leftover, ...]) -> list[dict[str, Any]]:
    from lkm.show.leftovers import leftover_json  # most runs have none

    return [leftover_json(one) for one in leftovers]


def _cycles_json(cycles: Cycles) -> dict[str, Any]:
    from lkm.show.leftovers import cycles_json

    return cycles_json(cycles)


def _ending_json(ending: Ending) -> dict[str, str]:
    return {
        "detail": ending.detail.value,
        "where": ending.where,
        "context": ending.context,
        "words": ending.words,
    }


def _module_json(module: ModuleResult) -> dict[str, Any]:
    return {
        "name": module.name,
        "path": str(module.path),
        "load": _step_json(module.load),
        "unload": _step_json(module.unload),
        "parameters": dict(module.parameters),
    }


def _step_json(step: Step | None) -> dict[str, Any] | None:
    return None if step is None else {"ok": step.ok, "errno": step.errno, "error": step.error}


def outcome_line(result: RunResult) -> str:
    """One line: the outcome, what it means or how long it took, and where."""
    timing = result.timing
    where = f"{result.kernel.release}, {result.accelerator}" if result.accelerator else result.kernel.release
    if result.outcome is Outcome.OK:
        parts = [f"loaded in {_milliseconds(timing.load)}"] if result.modules else []
        parts += [f"unloaded in {_milliseconds(timing.unload)}"] if timing.unload else []
        parts += [f"all in {timing.total:.2f} s"]
        return f"{result.outcome}{_but(result)}: {', '.join(parts)} ({where})"
    sentence = _SENTENCE[result.outcome] if result.ending is None else _ending_sentence(result)
    # The place names the module.
    reason = "" if result.ending is not None and "[" in result.ending.where else _reason(result)
    return f"{result.outcome}: {sentence}{reason} ({where})"


def _but(result: RunResult) -> str:
    if result.clean:
        return ""
    cycles = result.cycles
    if cycles is not None and cycles.done < cycles.asked:
        return f", but cycle {cycles.done + 1} was not like the first"
    return ", but something is left behind"


def _ending_sentence(result: RunResult) -> str:
    """What happened to the guest, in what, where, and the kernel's own word on it."""
    ending = result.ending
    assert ending is not None
    parts = [_DETAILS.get(ending.detail, _SENTENCE[result.outcome])]
    if ending.context:
        parts[0] += f" {_CONTEXTS[ending.context]}"
    if ending.where:
        parts.append(f"at {ending.where}")
    text = ", ".join(parts)
    return f"{text}: {ending.words}" if ending.words and result.outcome is not Outcome.HANG else text


def _reason(result: RunResult) -> str:
    for module in result.modules:
        if module.load is not None and not module.load.ok:
            return f", loading {module.name}{_said(module.load)}"
        if module.unload is not None and not module.unload.ok:
            return f", unloading {module.name}{_said(module.unload)}"
    if result.outcome is Outcome.EXEC_FAILED and result.exec is not None:
        return f": status {result.exec.status}"
    return ""


def _said(step: Step) -> str:
    """The errno with its text; nothing where the guest ended, which the outcome has said already."""
    return f": {step.error} (errno {step.errno})" if step.errno else ""


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def parameters_line(module: ModuleResult) -> str:
    """`hello: month=December`, the parameters that sysfs shows, or ""."""
    shown = " ".join(f"{name}={value}" for name, value in sorted(module.parameters.items()))
    return f"{module.name}: {shown}" if shown else ""
