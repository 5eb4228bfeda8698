# SPDX-License-Identifier: MIT
"""Asks `lkm.verdict` about a module, then a kernel, and compares: loaded or not, errno, words, taints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from errno import EBUSY, EEXIST, EIO, ENODEV, ENOENT, ENOTSUP, ENXIO, EOPNOTSUPP
from pathlib import Path

from oracle_cases import OracleCase

from lkm.elf import BytesSource
from lkm.errors import LkmError
from lkm.guest import Guest, GuestEnded
from lkm.kernel import Kernel
from lkm.module import parse_module
from lkm.verdict import Ground, Situation, Verdict, check_bytes
from lkm.verdict.case import Neighbour
from lkm.verdict.walk import neighbour_of

# What an init function refuses with where there is no such device or processor.
_OWN = (ENODEV, ENXIO, EIO, ENOTSUP, EOPNOTSUPP, EBUSY, EEXIST, ENOENT)
_MOST_CASES = 60  # with one guest
_LONGEST = 900


class Agreement(StrEnum):
    """How a verdict and the kernel compare."""

    SAME = "same"
    MESSAGE = "other message"
    TAINTS = "other taints"
    ERRNO = "other errno"
    FALSE_ALARM = "false alarm"
    MISSED = "missed"
    CRASHED = "the kernel crashed"
    UNPROVED = "unproved"


@dataclass(frozen=True)
class Compared:
    """One case, what was said beforehand, and what the kernel did."""

    case: OracleCase
    verdict: Verdict
    errno: int
    log: tuple[str, ...]
    agreement: Agreement
    what: str = ""


def compare_cases(kernel: Kernel, ground: Ground, cases: Sequence[OracleCase]) -> Iterator[Compared]:
    """Every case in turn, in as few guests as will do; those of one command line together."""
    for cmdline in dict.fromkeys(case.cmdline for case in cases):
        guest: Guest | None = None
        used = 0
        for case in (one for one in cases if one.cmdline == cmdline):
            if guest is None or used >= _MOST_CASES:
                if guest is not None:
                    guest.close()
                guest = _start(kernel, cmdline)
                used = 0
            used += 1
            try:
                compared = _compare(guest, ground, case)
            except LkmError:
                # Memory that an earlier case wrote over: once more, in a guest of its own.
                guest.close()
                guest = _start(kernel, cmdline)
                compared = _compare(guest, ground, case)
            yield compared
            if case.rough or not guest.alive or guest.oopsed or compared.verdict.unproved:
                guest.close()
                guest = None
        if guest is not None:
            guest.close()


def _start(kernel: Kernel, cmdline: str) -> Guest:
    """A guest booted with these words.

    Lockdown is switched on once the agent runs: it needs I/O ports, which a kernel that is locked down from
    the start does not give.
    """
    lockdown = cmdline.removeprefix("lockdown=") if cmdline.startswith("lockdown=") else ""
    plain = not cmdline or bool(lockdown)
    guest = Guest(kernel, cmdline="" if plain else cmdline, template=plain, timeout=20.0)
    guest.start()
    if lockdown:
        place = "/sys/kernel/security"
        done = guest.run(f"mount -t securityfs none {place}; echo {lockdown} > {place}/lockdown")
        assert done.status == 0, done.stderr
    return guest


def _compare(guest: Guest, ground: Ground, case: OracleCase) -> Compared:
    neighbours: dict[str, Neighbour] = {}
    for data in case.before:
        module = parse_module(BytesSource(data), path=Path("before.ko"))
        assert guest.load(data).ok, case.name
        neighbours[module.name] = neighbour_of(module)
    loaded = frozenset(one.name for one in guest.modules())
    situation = Situation(case.parameters, loaded, case.cmdline, neighbours)
    verdict = check_bytes(case.data, Path("module.ko"), ground, situation)
    before = len(guest.log().records)
    try:
        step = guest.load(case.data, " ".join(case.parameters))
        log = tuple(record.text for record in guest.log().records[before:])
        if step.errno and _find_missing(verdict.message, log):
            # Words without a newline wait for the next ones: another refusal brings them out.
            guest.load(b"not a module" * 8)
            log = tuple(record.text for record in guest.log().records[before:])
        if guest.oopsed or (not step.ok and not step.errno):
            return _crashed(case, verdict, log)
        taints = _read_taints(guest, verdict) if step.ok else ""
        _clean(guest, loaded | set(neighbours), neighbours)
        if guest.oopsed:
            return _crashed(case, verdict, log)
    except GuestEnded:
        return _crashed(case, verdict, ())
    agreement, what = _judge(case, verdict, step.errno, log, taints)
    return Compared(case, verdict, step.errno, log, agreement, what)


def _crashed(case: OracleCase, verdict: Verdict, log: tuple[str, ...]) -> Compared:
    agreement = Agreement.UNPROVED if verdict.unproved else Agreement.CRASHED
    if verdict.loads and case.own:
        agreement = Agreement.SAME  # in its own init
    return Compared(case, verdict, 0, log, agreement, "the guest crashed")


def _read_taints(guest: Guest, verdict: Verdict) -> str:
    """The letters of /sys/module/NAME/taint; "?" where it has no such file."""
    try:
        return guest.copy_out(f"/sys/module/{verdict.module}/taint").decode().strip()
    except LkmError:
        return "?"


def _clean(guest: Guest, stay: frozenset[str] | set[str], before: dict[str, Neighbour]) -> None:
    """Unloads whatever came, the newest first."""
    for module in guest.modules():
        if module.name not in stay or module.name in before:
            with suppress(LkmError):
                guest.unload(module.name)


def _judge(
    case: OracleCase, verdict: Verdict, errno: int, log: tuple[str, ...], taints: str
) -> tuple[Agreement, str]:
    open_question = Agreement.UNPROVED if verdict.unproved else None
    if verdict.loads:
        if errno and not (case.own and errno in _OWN):
            return open_question or Agreement.MISSED, f"errno {errno}: {log[-1:]}"
        expected = "".join(sorted(taint.value for taint in verdict.taints if taint.value != "U"))
        if not errno and taints != "?" and "".join(sorted(taints)) != expected:
            return open_question or Agreement.TAINTS, f"kernel {taints}, verdict {expected}"
        return Agreement.SAME, ""
    if not errno:
        return open_question or Agreement.FALSE_ALARM, f"{verdict.rule}: {verdict.message[:120]}"
    if errno != verdict.errno:
        return open_question or Agreement.ERRNO, f"kernel {errno}, verdict {verdict.errno} ({verdict.rule})"
    missing = _find_missing(verdict.message, log)
    if missing:
        return Agreement.MESSAGE, f"verdict: {missing!r}, kernel: {log[-2:]}"
    return Agreement.SAME, ""


def _find_missing(message: str, log: tuple[str, ...]) -> str:
    """The first line of a verdict's words that the kernel did not say, in the order of the verdict."""
    at = 0
    for line in message.splitlines():
        # printk cuts off what is longer than a record.
        wanted = line.removesuffix("…")[:_LONGEST]
        while at < len(log):
            said = log[at]
            at += 1
            if said == wanted or (wanted != line and said.startswith(wanted)):
                break
        else:
            return line
    return ""


def count(results: Sequence[Compared]) -> Counter[Agreement]:
    """How many of each."""
    return Counter(one.agreement for one in results)


def table(results: Sequence[Compared]) -> list[str]:
    """The confusion table: what was said down, what the kernel did across."""
    cells: Counter[tuple[str, str]] = Counter()
    for one in results:
        said = (
            "unproved"
            if one.verdict.unproved and one.agreement is Agreement.UNPROVED
            else ("loads" if one.verdict.loads else one.verdict.error)
        )
        import errno

        did = (
            "crashed"
            if one.what == "the guest crashed"
            else ("loaded" if not one.errno else errno.errorcode.get(one.errno, str(one.errno)))
        )
        if one.verdict.loads and one.case.own and one.errno and one.agreement is Agreement.SAME:
            did = "loaded"  # its own init refused
        cells[said, did] += 1
    rows = sorted({said for said, _ in cells}, key=lambda one: (one != "loads", one))
    columns = sorted({did for _, did in cells}, key=lambda one: (one != "loaded", one))
    lines = ["said \\ did".ljust(14) + "".join(name.rjust(13) for name in columns)]
    for row in rows:
        lines.append(
            row.ljust(14)
            + "".join((str(cells[row, name]) if cells[row, name] else ".").rjust(13) for name in columns)
        )
    return lines
