# SPDX-License-Identifier: MIT
"""A job done many times in one guest: only the first is told, and one that goes wrong, which ends them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from lkm.errors import UsageError
from lkm.job.reports import has_report
from lkm.job.value import Job, Listener, Outcome
from lkm.klog.kept import KeptRecords
from lkm.leftovers.cycles import FEWEST, cycles_cmdline

if TYPE_CHECKING:
    from lkm.guest import Guest
    from lkm.job.runner import Run
    from lkm.kernel import Kernel


def with_cycles(job: Job, kernel: Kernel) -> Job:
    """The job with what its kernel needs to count memory.

    Raises `UsageError` for too few cycles, and for modules that are to stay.
    """
    if not job.unload:
        raise UsageError("cycles need the modules unloaded each time", hint="leave --no-unload out")
    if job.cycles < FEWEST:
        raise UsageError(f"{job.cycles} cycles show nothing", hint=f"{FEWEST} at least")
    return replace(job, cmdline=cycles_cmdline(job.cmdline, kernel))


def repeat(run: Run, guest: Guest, once: Callable[[], Outcome]) -> Outcome:
    """The cycles after the first, each by `once`; what memory they cost is `run.cycles` then."""
    assert run.after is not None
    asked = run.job.cycles
    counter = run.after.count(asked, {one.name: one.path for one in run.modules})
    counter.cycled()
    listener, run.listener = run.listener, Listener()
    first = run.modules, run.executed, run.timing
    listener.repeating(asked)
    outcome = Outcome.OK
    quiet = not has_report(run.records.since())
    try:
        while counter.done < asked:
            run.modules, run.muted = [], KeptRecords()
            guest.limit(run.job.timeout)
            outcome = once()
            guest.log()  # whatever is still on its way
            if outcome is not Outcome.OK or guest.oopsed or (quiet and has_report(run.muted.since())):
                break
            counter.cycled()
        else:
            run.modules, run.executed, run.timing = first
            run.muted = None
    finally:
        run.listener, muted, run.muted = listener, run.muted, None
        for record in muted.since() if muted is not None else ():
            run.on_record(record)
        well = counter.done == asked and guest.alive and not guest.oopsed
        if well:
            guest.limit(None)
        run.cycles = counter.result(wait=time.sleep if well else None)
    return outcome
