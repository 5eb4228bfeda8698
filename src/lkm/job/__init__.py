# SPDX-License-Identifier: MIT
"""The main job: build, load, run, unload, report."""

from lkm.job.order import LoadPlan, plan_load
from lkm.job.parameters import assign_parameters, is_assignment
from lkm.job.runner import iter_modules, run
from lkm.job.value import Job, Listener, ModuleResult, Outcome, RunResult, Timing

__all__ = [
    "Job",
    "Listener",
    "LoadPlan",
    "ModuleResult",
    "Outcome",
    "RunResult",
    "Timing",
    "assign_parameters",
    "is_assignment",
    "iter_modules",
    "plan_load",
    "run",
]
