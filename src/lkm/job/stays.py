# SPDX-License-Identifier: MIT
"""Why the kernel did not let a module go."""

from __future__ import annotations

from errno import EBUSY, EWOULDBLOCK

from lkm.errors import LkmError
from lkm.guest import Guest, Step


def explain_stay(guest: Guest, name: str, step: Step, *, used: bool) -> str:
    """Why a module could not be unloaded and what to do, "" where nothing can be said.

    `used`: whether programs ran while it was loaded, which may have something of it open.
    Source: kernel/module/main.c, delete_module(); /proc/modules has the counts.
    """
    try:
        lines = guest.copy_out("/proc/modules").decode("utf-8", "replace").splitlines()
    except LkmError:
        return ""
    row = next((words for line in lines if (words := line.split())[0] == name), None)
    if row is None or len(row) < 5:
        return ""
    users = [user for user in row[3].split(",") if user not in ("", "-")]
    if "[permanent]" in users:
        return f"{name} has an init function and no exit function, so it stays: add module_exit()"
    if users:
        return f"{name} is used by {', '.join(users)}, which must be unloaded first"
    if step.errno == EWOULDBLOCK and row[2] not in ("0", "-"):
        own = (
            f"the module took {_references(row[2])} to itself (try_module_get(), __module_get()) and does "
            "not give it back: module_put() is missing"
        )
        by_program = f"a program still has something of it open, or {own}" if used else own
        return f"{name}'s reference count is {row[2]} and no other module uses it: {by_program}"
    if step.errno == EBUSY:
        return f"{name} is on its way in or out already: its init or exit function has not come back"
    return ""


def _references(count: str) -> str:
    return "a reference" if count == "1" else f"{count} references"
