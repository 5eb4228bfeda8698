# SPDX-License-Identifier: MIT
"""Installing a kernel below a root directory, undoing it, and proving it by booting what lies there."""

from lkm.install.lay import install
from lkm.install.plan import Plan, describe_plan, make_plan
from lkm.install.prove import Proof, prove
from lkm.install.remove import (
    Removal,
    describe_removal,
    find_installed,
    plan_removal,
    suggest_installed,
    uninstall,
)
from lkm.install.source import read_source
from lkm.install.value import (
    How,
    Installed,
    Manifest,
    Request,
    Source,
    Step,
    Uninstalled,
    list_installed,
)

__all__ = [
    "How",
    "Installed",
    "Manifest",
    "Plan",
    "Proof",
    "Removal",
    "Request",
    "Source",
    "Step",
    "Uninstalled",
    "describe_plan",
    "describe_removal",
    "find_installed",
    "install",
    "list_installed",
    "make_plan",
    "plan_removal",
    "prove",
    "read_source",
    "suggest_installed",
    "uninstall",
]
