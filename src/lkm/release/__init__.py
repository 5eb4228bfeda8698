# SPDX-License-Identifier: MIT
"""Kernel sources: get a release, verify who signed it, unpack it."""

from lkm.release.get import Got, Policy, find_version, get_release, list_trees, sources_dir
from lkm.release.git import get_git
from lkm.release.mirror import find_mirror
from lkm.release.names import Kind, Wanted, parse_wanted
from lkm.release.record import Record, read_record
from lkm.release.sources import get_sources
from lkm.release.tree import TreeAnswer, verify_tree
from lkm.release.value import State, Verification
from lkm.release.verify import verify_file

__all__ = [
    "Got",
    "Kind",
    "Policy",
    "Record",
    "State",
    "TreeAnswer",
    "Verification",
    "Wanted",
    "find_mirror",
    "find_version",
    "get_git",
    "get_release",
    "get_sources",
    "list_trees",
    "parse_wanted",
    "read_record",
    "sources_dir",
    "verify_file",
    "verify_tree",
]
