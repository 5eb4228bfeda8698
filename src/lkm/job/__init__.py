# SPDX-License-Identifier: MIT
"""The main job: build, load, run, unload, report."""

from lkm.job.parameters import assign_parameters
from lkm.job.runner import iter_modules, run
from lkm.job.value import Job, Listener, ModuleResult, Outcome, RunResult, Timing

__all__ = [
    "Job",
    "Listener",
    "ModuleResult",
    "Outcome",
    "RunResult",
    "Timing",
    "assign_parameters",
    "iter_modules",
    "run",
]
