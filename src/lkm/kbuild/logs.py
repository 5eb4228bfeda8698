# SPDX-License-Identifier: MIT
"""A job's logs read: paths as the person knows them, and a cause wherever a build failed."""

from __future__ import annotations

import re
from dataclasses import replace

from lkm import process
from lkm.kbuild.diagnostics import UNDEFINED, is_consequence, parse_log
from lkm.kbuild.job import Job
from lkm.kbuild.source import find_kbuild_file
from lkm.kbuild.value import Diagnostic, Severity, Targets, flatten

# scripts/mod/modpost.c: check_exports, check_for_gpl_usage
_SYMBOL = re.compile(r"(?:GPL-only symbol '|uses symbol )(?P<name>\w+)")
_MISSING = re.compile(r"No rule to make target '(?P<stem>[^']+)\.o'$")


def parse_result(job: Job, result: process.Result) -> Targets:
    """The diagnostics of a log; a failure that nothing understood speaks of is told by its last words."""
    lines = result.stdout.splitlines()
    targets = parse_lines(job, lines)
    targets[""] = [_place_missing(job, item) for item in targets.get("", [])]
    targets = {name: [_place_symbol(item) for item in items] for name, items in targets.items()}
    failed = result.status != 0
    if failed and not any(item.severity is Severity.ERROR for item in flatten(targets)):
        # Neither what Kbuild does (`  MODPOST …`) nor what make then gives up.
        said = [line for line in lines if line.strip() and line[0] != " " and not is_consequence(line)]
        text = "; ".join(said[-3:]) or f"make ended with status {result.status}"
        targets.setdefault("", []).append(Diagnostic(None, 0, 0, Severity.ERROR, text))
    return targets


def parse_lines(job: Job, lines: list[str], target: str = "") -> Targets:
    """The diagnostics of a log, of which the first lines are about `target`."""
    return parse_log(
        lines, real_path=job.real_path, work=job.mirror.work, target=target, own=job.mirror.source
    )


def _place_symbol(item: Diagnostic) -> Diagnostic:
    """What modpost says of a symbol that a module uses, told at the first line that names it."""
    match = UNDEFINED.search(item.text) or _SYMBOL.search(item.text)
    if match is None or item.path is None or item.line:
        return item
    try:
        lines = item.path.read_text(errors="replace").splitlines()
    except OSError:
        return item
    named = re.compile(rf"\b{re.escape(match['name'])}\b")
    for number, line in enumerate(lines, 1):
        found = named.search(line)
        if found and not line.lstrip().startswith(("//", "*", "/*")):
            column = len(line[: found.start()].encode()) + 1
            return replace(item, line=number, column=column, source_line=line)
    return item


def _place_missing(job: Job, item: Diagnostic) -> Diagnostic:
    """A file that is not there, told at the line of the Kbuild file that names it."""
    match = _MISSING.match(item.text)
    if match is None or item.path is not None:
        return item
    directory, _, name = match["stem"].rpartition("/")
    kbuild = find_kbuild_file(job.mirror.directory / directory) if job.mirror.only is None else None
    lines = kbuild.read_text(errors="replace").splitlines() if kbuild is not None else []
    named = re.compile(rf"(?<![\w/.-]){re.escape(name)}\.o\b")
    number = next((number for number, line in enumerate(lines, 1) if named.search(line)), 0)
    text = f"{item.text}: there is no {match['stem']}.c"
    return replace(item, path=kbuild, line=number, text=text, source_line=lines[number - 1] if number else "")
