# SPDX-License-Identifier: MIT
"""Verdicts, for a person and for a machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lkm.verdict import Finding, Verdict

# Version of the JSON that `lkm check --json` prints; documented in docs/check.md.
SCHEMA = 1
_MOST_MESSAGES = 4


def verdict_json(verdict: Verdict, *, explain: bool = False) -> dict[str, Any]:
    """One verdict as `lkm check --json` has it; `explain` adds each check."""
    refusal = verdict.refusal
    found: dict[str, Any] = {
        "module": verdict.module,
        "path": str(verdict.path),
        "kernel": verdict.kernel,
        "loads": verdict.loads,
        "errno": verdict.errno,
        "error": verdict.error,
        "message": verdict.message,
        "rule": verdict.rule,
        "why": refusal.why if refusal else "",
        "hint": verdict.hint,
        "taints": [taint.value for taint in verdict.taints],
        "warnings": [_finding_json(one) for one in verdict.warnings],
        "unproved": list(verdict.unproved),
        "order": list(verdict.order),
    }
    if explain:
        found["checks"] = [
            {
                "rule": step.rule.name,
                "title": step.rule.title,
                "source": step.rule.source,
                "versions": step.rule.versions,
                "passed": not any(one.fatal for one in step.findings),
                "findings": [_finding_json(one) for one in step.findings],
                "unproved": list(step.doubts),
            }
            for step in verdict.steps
        ]
    return found


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "errno": finding.errno,
        "message": finding.message,
        "why": finding.why,
        "hint": finding.hint,
    }


def verdict_line(verdict: Verdict) -> str:
    """One line: the file, the kernel, and whether it loads there."""
    head = f"{verdict.path}: {verdict.kernel}"
    refusal = verdict.refusal
    if refusal is not None:
        return f"{head}: refused, {verdict.error}: {refusal.why}"
    parts = []
    if verdict.taints:
        parts.append(f"taints {' '.join(verdict.taints)}")
    parts += [one.why for one in verdict.warnings if one.rule not in ("taints", "forced") and one.why]
    line = f"{head}: loads with warnings: {'; '.join(parts)}" if parts else f"{head}: loads"
    return f"{line} (not known: {'; '.join(verdict.unproved)})" if verdict.unproved else line


def detail_lines(verdict: Verdict) -> list[str]:
    """What belongs below the line: other causes, the kernel's own words, what to do."""
    lines: list[str] = []
    refusal = verdict.refusal
    if refusal is None:
        if verdict.order:
            lines.append(f"  first load: {' '.join(verdict.order)}")
        return lines
    others = dict.fromkeys((one.why, one.hint) for one in verdict.findings if one.fatal)
    told = verdict.message.splitlines()
    for why, hint in list(others)[:_MOST_MESSAGES]:
        if why != refusal.why:
            lines.append(f"  and {why}" + (f": {hint}" if hint and hint != refusal.hint else ""))
    if len(others) > _MOST_MESSAGES:
        lines.append(f"  and {len(others) - _MOST_MESSAGES} more (--explain)")
    lines += [f"  kernel: {line}" for line in told[:_MOST_MESSAGES]] or ["  kernel: says nothing"]
    if len(told) > _MOST_MESSAGES:
        lines.append(f"  kernel: … {len(told) - _MOST_MESSAGES} more lines")
    if refusal.hint:
        lines.append(f"  hint: {refusal.hint}")
    return lines


def explain_lines(verdict: Verdict) -> list[str]:
    """Every check in the kernel's order, to the one that refuses."""
    lines = [f"{verdict.path} on {verdict.kernel}"]
    for number, step in enumerate(verdict.steps, 1):
        fatal = any(one.fatal for one in step.findings)
        mark = "REFUSED" if fatal else "not known" if step.doubts else "warns" if step.findings else "ok"
        lines.append(f"  {number:2} {mark:9} {step.rule.title}  [{step.rule.source}]")
        for finding in step.findings:
            lines += [f"       {text}" for text in _finding_lines(finding)]
        lines += [f"       not known: {text}" for text in step.doubts]
    if verdict.loads:
        lines.append("     then its own init function decides")
    return lines


def _finding_lines(finding: Finding) -> Iterable[str]:
    if finding.why:
        yield finding.why
    if finding.message and finding.message != finding.why:
        yield f"kernel: {finding.message}"
    if finding.hint:
        yield f"hint: {finding.hint}"


def summary_line(verdicts: Sequence[Verdict]) -> str:
    """How many load, with and without warnings, and how many do not."""
    refused = sum(not one.loads for one in verdicts)
    warned = sum(one.loads and bool(one.warnings) for one in verdicts)
    parts = [f"{len(verdicts) - refused} load" + (f", {warned} of them with warnings" if warned else "")]
    parts += [f"{refused} refused"] if refused else []
    return f"{len(verdicts)} checked: {', '.join(parts)}"
