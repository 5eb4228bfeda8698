# SPDX-License-Identifier: MIT
"""Finding the reports in a kernel log."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lkm.klog import body
from lkm.klog.begin import MAY_BEGIN, find_start
from lkm.klog.draft import Draft
from lkm.klog.kinds import Start
from lkm.klog.record import Record
from lkm.klog.refine import build_report
from lkm.klog.report import Kind, Report

_MOST_OPEN = 64  # reports under way at once: one for each processor or thread that printed
_PENDING = 24  # lines between a rule (`cut here`, `=====`) and the sentence that says what it is
# Reports that make other processors print their traces.
_ALL_PROCESSORS = {Kind.RCU_STALL, Kind.SOFT_LOCKUP, Kind.HARD_LOCKUP, Kind.PANIC, Kind.HUNG_TASK}


def find_reports(records: Sequence[Record]) -> tuple[Report, ...]:
    """The reports in a log, in the order of their first records.

    Reports of several processors that print at once are told apart where the log names who printed
    (`Record.caller`).  A report that the log cuts off keeps what was understood, `complete` False.  Never
    raises for what a log says.
    """
    finder = _Finder(records)
    return finder.run()


class _Finder:
    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._open: dict[str, Draft] = {}
        self._pending: dict[str, list[tuple[int, str]]] = {}
        self._drafts: list[Draft] = []

    def run(self) -> tuple[Report, ...]:
        may_begin = MAY_BEGIN.get
        busy = self._open
        pending = self._pending
        caller = ""
        for index, record in enumerate(self._records):
            text = record.text
            if not busy and not pending and "\n" not in text:
                begins = may_begin(text[:1])
                if begins is None or not begins(text):
                    continue
            elif not text:
                continue
            # A line without a stamp is of the one before.
            caller = record.caller or (caller if record.seconds < 0 else "")
            for line in text.split("\n") if "\n" in text else (text,):
                self._feed(index, caller, line.strip())
        alive = {id(draft) for draft in self._open.values()}
        for draft in self._drafts:
            draft.close()
        for draft in self._drafts:
            if draft.parent is not None:
                draft.parent.adopt(draft)
        reports = [
            build_report(draft, at_end=id(draft) in alive and not draft.foreign)
            for draft in self._drafts
            if draft.parent is None
        ]
        return tuple(sorted((one for one in reports if one is not None), key=lambda one: one.first))

    def _feed(self, index: int, caller: str, line: str) -> None:
        draft = self._open.get(caller)
        found = find_start(line)
        if draft is not None:
            if found is None or found[0].dump:
                if draft.feed(line):
                    draft.last = index
                    return
            elif draft.takes(*found, line):
                draft.foreign = 0
                draft.last = index
                self._pending.pop(caller, None)
                return
            if found is not None or draft.lost:
                del self._open[caller]
        if found is not None:
            self._start(index, caller, line, *found)
        else:
            self._note(index, caller, line)

    def _note(self, index: int, caller: str, line: str) -> None:
        """A rule may belong to what follows; so do the lines between."""
        if body.CUT.match(line) or line.startswith("=========="):
            self._pending[caller] = [(index, line)]
            if len(self._pending) > _MOST_OPEN:
                del self._pending[next(iter(self._pending))]
        elif caller in self._pending:
            noted = self._pending[caller]
            noted.append((index, line))
            if len(noted) > _PENDING:
                del self._pending[caller]

    def _start(self, index: int, caller: str, line: str, start: Start, match: re.Match[str]) -> None:
        noted = self._pending.pop(caller, [])
        draft = Draft(start.kind, line, noted[0][0] if noted else index, index, dump=start.dump)
        draft.open(start, match)
        if start.dump and line.startswith("NMI"):
            draft.parent = next((one for one in self._open.values() if one.kind in _ALL_PROCESSORS), None)
        message = "\n".join(text for _, text in noted[1:] if text)
        if message and body.CUT.match(noted[0][1]):
            draft.details["message"] = message
        if start.dump:
            draft.feed(line)
        self._drafts.append(draft)
        self._open[caller] = draft
        if len(self._open) > _MOST_OPEN:
            del self._open[next(iter(self._open))]
