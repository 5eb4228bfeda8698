# SPDX-License-Identifier: MIT
"""How far an own kernel is, from what lies in its build directory: nothing is started."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from lkm.compile.record import BuildRecord, digest_config, read_build_record
from lkm.kconfig.tree import find_source, is_tree, read_tree
from lkm.kernel.layout import find_lost_sources, find_own_build
from lkm.kernel.own import OwnKernel, is_building, list_own
from lkm.kernel.value import Kernel
from lkm.release.record import read_record


class State(StrEnum):
    """How far it is."""

    GONE = "gone"  # its directory is not where it was
    EMPTY = "empty"  # no .config
    CONFIGURED = "configured"
    BUILDING = "building"  # now
    BROKE_OFF = "broke off"  # killed, or the machine went down
    FAILED = "failed"
    BUILT = "built"
    CHANGED = "changed"  # built, but of another configuration or other sources than are there now


@dataclass(frozen=True, slots=True)
class OwnState:
    """An own kernel, how far it is and `why` ("" where there is nothing to say).

    `kernel`: with the parts that are there.  `tree`: its sources, None where they are not known.  `built`:
    seconds since the epoch when it was built, None where it was not.
    """

    own: OwnKernel
    kernel: Kernel
    state: State
    why: str
    record: BuildRecord | None
    tree: Path | None
    built: float | None


def read_state(own: OwnKernel) -> OwnState:
    """How far the own kernel is."""
    kernel = find_own_build(own).kernel
    record = read_build_record(own.build)
    tree = _find_tree(own.build, record)
    state, why = _decide(own, kernel, record, tree)
    return OwnState(own, kernel, state, why, record, tree, _find_time(kernel, record))


def find_users(tree: Path) -> list[OwnKernel]:
    """The own kernels whose build directories need the sources `tree`."""
    tree = tree.resolve()
    users = []
    for own in list_own():
        needed = _find_tree(own.build, read_build_record(own.build)) if own.is_there else None
        if needed is not None and needed.resolve() == tree:
            users.append(own)
    return users


def _find_tree(build: Path, record: BuildRecord | None) -> Path | None:
    """The sources, there or not."""
    found = find_source(build) or find_lost_sources(build)
    return found or (Path(record.tree) if record is not None and record.tree else None)


def _decide(
    own: OwnKernel, kernel: Kernel, record: BuildRecord | None, tree: Path | None
) -> tuple[State, str]:
    if not own.is_there:
        return State.GONE, f"{own.build} is not there any more"
    if kernel.config is None:
        return State.EMPTY, "no configuration yet"
    if is_building(own.build):
        return State.BUILDING, "it is being built now"
    if record is not None and record.broke_off:
        begun = record.started[:16].replace("T", " ")
        return State.BROKE_OFF, f"the build of {begun} UTC did not come to its end"
    if record is not None and not record.ok:
        errors = "1 error" if record.errors == 1 else f"{record.errors} errors"
        return State.FAILED, f"the last build failed: {errors}"
    if kernel.image is None:
        return State.CONFIGURED, ""
    why = _compare(kernel, record, tree)
    return (State.CHANGED, why) if why else (State.BUILT, "")


def _compare(kernel: Kernel, record: BuildRecord | None, tree: Path | None) -> str:
    """How what it was built from differs from what is there now, or ""."""
    if tree is not None and not is_tree(tree):
        return f"its sources, {tree}, are not there any more"
    assert kernel.config is not None and kernel.image is not None
    if record is None:
        newer = kernel.config.stat().st_mtime_ns > kernel.image.stat().st_mtime_ns
        return "its configuration is newer than its image" if newer else ""
    if record.config_sha256 and record.config_sha256 != digest_config(kernel.config.parent):
        return "its configuration was changed since"
    if tree is None:
        return ""
    if Path(record.tree).resolve() != tree.resolve():
        return f"it was built from {record.tree}, and is configured for {tree}"
    now, then = read_record(tree), record.source
    if now is not None and then is not None:
        for word, value in (("sha256", now.sha256), ("commit", now.commit)):
            if then.get(word) != value:
                return f"{tree} is not what it was built from: got anew since, {now.version}"
    version = read_tree(tree).version
    if record.version and version != record.version:
        return f"it was built from {record.version}, and {tree} is {version} now"
    return ""


def _find_time(kernel: Kernel, record: BuildRecord | None) -> float | None:
    if kernel.image is None:
        return None
    if record is not None and record.seconds is not None:
        try:
            return datetime.fromisoformat(record.started).timestamp() + record.seconds
        except ValueError:
            pass
    return kernel.image.stat().st_mtime
