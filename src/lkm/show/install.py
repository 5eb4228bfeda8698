# SPDX-License-Identifier: MIT
"""Installing a kernel, for a person: what will be done, what came of it, what was proved."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from lkm.show.size import format_size

if TYPE_CHECKING:
    from lkm.install import Installed, Proof, Step, Uninstalled
    from lkm.install.value import Ran

_SAID = 12  # lines of a program that failed


def format_steps(steps: Iterable[Step]) -> Iterator[str]:
    """A step a line; commands as they can be typed."""
    for step in steps:
        yield f"{step.what}:" if step.argv else step.what
        if step.argv:
            yield f"    {shlex.join(step.argv)}"


def format_installed(done: Installed) -> Iterator[str]:
    """What lies where, what was kept, and what the machine's own programs did not do."""
    for path in done.files:
        yield f"{path}  {format_size(path.stat().st_size)}"
    modules = f"{done.modules} module{'' if done.modules == 1 else 's'}" if done.modules else "no modules"
    yield f"{done.tree}  {modules}, {format_size(done.size)} with all above"
    for path in done.kept:
        yield f"kept: {path}"
    yield from done.notes
    yield from _failures(done.ran)


def format_uninstalled(done: Uninstalled) -> Iterator[str]:
    """What is gone, what came back, what stays."""
    yield f"{done.release}: {done.removed} files removed, {format_size(done.freed)} freed"
    for path in done.restored:
        yield f"back: {path}"
    if done.left:
        yield f"left, since others put them there: {len(done.left)} files in {done.left[0].parent}"
    yield from _failures(done.ran)


def format_proof(proof: Proof) -> Iterator[str]:
    """What booted, and what was loaded by its name."""
    if proof.release:
        what = f", {proof.initramfs.name}" if proof.initramfs is not None else ""
        how = ""
        if proof.initramfs is not None and not proof.own_init:
            how = " (its /init was not run: there is no root device to go on to)"
        yield f"booted: {proof.image.name}{what}: {proof.release}, {proof.seconds:.1f} s after its start{how}"
    if proof.by_init:
        yield f"loaded by /init: {', '.join(proof.by_init)}"
    if proof.ok and proof.module:
        needs = [name for name in proof.loaded if name != proof.module]
        first = f", after {', '.join(needs)}, which it needs" if needs else ""
        yield f"loaded by name: {proof.module}{first}"
    elif proof.ok:
        yield "it has no modules to load"
    if not proof.ok:
        yield f"not proved: {proof.why}"


def _failures(ran: Iterable[Ran]) -> Iterator[str]:
    for one in ran:
        if one.status:
            yield f"failed with status {one.status}: {shlex.join(one.argv)}"
            yield from (f"  {line}" for line in one.said.splitlines()[-_SAID:])
