# SPDX-License-Identifier: MIT
"""A module source: made, built, and what the compiler said of it."""

from lkm.kbuild.build import build, build_place, source_copy
from lkm.kbuild.cache import prune_builds, remove_builds
from lkm.kbuild.scaffold import new_module
from lkm.kbuild.source import find_source
from lkm.kbuild.value import Built, Diagnostic, How, Severity

__all__ = [
    "Built",
    "Diagnostic",
    "How",
    "Severity",
    "build",
    "build_place",
    "find_source",
    "new_module",
    "prune_builds",
    "remove_builds",
    "source_copy",
]
