# SPDX-License-Identifier: MIT
"""Frames at source lines: which file each is of, whether it fits, what it was compiled from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lkm.decode.code import CodeFile, Fit, Found, KernelFile
from lkm.decode.dwarf.debug import DAMAGE, Site
from lkm.decode.dwarf.lines import KERNEL_HEADER
from lkm.decode.value import SourceLine, Step, Walk
from lkm.errors import LkmError
from lkm.klog.report import Code, Frame, Kind, Report

# Frames of the kernel that are shown with a line at most: each takes reading a unit of debug information.
_MOST_KERNEL_LINES = 16
# The kernel's own machinery, between what went wrong and the report of it.
MACHINERY = re.compile(
    r"(?:dump_stack|show_stack|__warn|warn_slowpath|report_bug|handle_bug|exc_|asm_|do_trap|die|page_fault_oops"
    r"|kasan_|__kasan|print_report|print_address|__asan|check_region|ubsan|__ubsan|val_to_string|__might_"
    r"|___might|__schedule_bug|el1|el0|kfence_|kcsan_|__tsan|debug_print_object|__debug_check|slab_err|object_err"
    r"|check_bytes|print_|lock_acquire|__lock_acquire|panic|nmi_|__show_regs|kobject_add_internal|sysfs_warn_dup"
    r"|spin_dump|spin_bug|do_error|no_context|bad_area|__die|search_)"
)


@dataclass(slots=True)
class Files:
    """The files that frames are looked up in.

    `modules`: by name; several where more than one file of the name was given.  `kernel`: a vmlinux with
    debug information, None for names only.  `given`: what was given to find modules in.  `notes`: what was
    found wrong on the way.
    """

    modules: Mapping[str, Sequence[CodeFile]]
    kernel: KernelFile | None = None
    given: Sequence[Path] = ()
    notes: dict[str, None] = field(default_factory=dict)
    _chosen: dict[str, CodeFile | None] = field(default_factory=dict)
    _kernel_lines: int = 0

    def note(self, text: str) -> None:
        """Something that could not be found out."""
        self.notes.setdefault(text)

    def choose(self, reports: Iterable[Report]) -> None:
        """Decides for each module which of the files given is the one that crashed."""
        frames: dict[str, dict[Frame, Code | None]] = {}
        for report in reports:
            for frame in _frames(report):
                if frame.module and frame.offset is not None:
                    code = report.code if frame is report.at else None
                    frames.setdefault(frame.module, {}).setdefault(frame, code)
        for name, of_it in frames.items():
            self._chosen[name] = self._choose(name, of_it)

    def _choose(self, name: str, frames: Mapping[Frame, Code | None]) -> CodeFile | None:
        candidates = self.modules.get(name, ())
        if not candidates:
            return None
        misfits: list[tuple[CodeFile, Frame, Found]] = []
        for code in candidates:
            found = [(code, frame, _find(code, frame, dump)) for frame, dump in frames.items()]
            wrong = [one for one in found if one[2].fit is not Fit.FITS]
            if not wrong:
                return code
            misfits.append(wrong[0])
        self.note(_misfit(*misfits[0]))
        return None

    def find(self, frame: Frame) -> tuple[CodeFile, Found] | None:
        """The file of a frame and where it is there; None where no file says."""
        code = self._chosen.get(frame.module) if frame.module else self.kernel
        if code is None or frame.offset is None:
            return None
        found = code.find(frame)
        return (code, found) if found.fit is Fit.FITS else None

    def step(self, frame: Frame, *, exact: bool) -> Step:
        """A frame at its source lines.  `exact`: where the processor was, not where a call returns to."""
        if not frame.module and self._kernel_lines >= _MOST_KERNEL_LINES:
            return Step(frame)
        try:
            place = self.find(frame)
            if place is None:
                return Step(frame)
            code, found = place
            self._kernel_lines += not frame.module
            address = return_site(found.address, frame, exact=exact)
            sites = code.sites(address)
            unit = code.unit_path(address) if frame.module and sites else ""
        except (LkmError, *DAMAGE) as error:
            self.note(f"debug information cannot be read: {error}")
            return Step(frame)
        return Step(frame, _source_lines(sites, unit, own=bool(frame.module)), bool(frame.module))


def _find(code: CodeFile, frame: Frame, dump: Code | None) -> Found:
    try:
        found = code.find(frame)
    except (LkmError, *DAMAGE):
        return Found(Fit.NO_SYMBOL)
    if found.fit is Fit.FITS and dump is not None and not code.has_bytes(found, dump):
        return found._replace(fit=Fit.OTHER_CODE)
    return found


def return_site(address: int, frame: Frame, *, exact: bool) -> int:
    """The address whose line is asked for: a caller's is of the call, just before where it returns to."""
    return address if exact or frame.interrupted or not frame.offset else address - 1


def _misfit(code: CodeFile, frame: Frame, found: Found) -> str:
    place = f"{frame.symbol}+{frame.offset:#x}/{frame.size or 0:#x}"
    if found.fit is Fit.NO_SYMBOL:
        why = f"it has no {frame.symbol}"
    elif found.fit is Fit.OTHER_CODE:
        why = "other instructions than it has"
    else:
        why = f"there {frame.symbol} takes {found.size:#x} bytes"
    return f"{code.path} is not the module that crashed, or was built anew since: the log has {place}, {why}"


def _frames(report: Report) -> Iterable[Frame]:
    if report.at is not None:
        yield report.at
    for trace in report.traces:
        yield from (frame for frame in trace.frames if frame.reliable)


def _source_lines(sites: tuple[Site, ...], unit: str, *, own: bool) -> tuple[SourceLine, ...]:
    directory = unit.rpartition("/")[0]
    lines = []
    for index, site in enumerate(sites):
        is_own = own and (
            (bool(directory) and site.path.startswith(f"{directory}/")) or not KERNEL_HEADER.search(site.path)
        )
        lines.append(
            SourceLine(site.function, site.path, site.line, site.column, index < len(sites) - 1, is_own)
        )
    return tuple(lines)


def walk_report(report: Report, files: Files) -> tuple[Walk, ...]:
    """Where the processor was, and each trace of a report, at source lines."""
    walks = []
    if report.at is not None:
        walks.append(Walk("", (files.step(report.at, exact=is_exact(report)),)))
    for index, trace in enumerate(report.traces):
        frames = _without_machinery(trace.frames, report.at if index == 0 else None)
        steps = tuple(
            files.step(frame, exact=False) if frame.reliable or frame.module else Step(frame)
            for frame in frames
        )
        walks.append(Walk(trace.title, steps))
    return tuple(walks)


def is_exact(report: Report) -> bool:
    """Whether the processor was at the instruction: after a trap (int3) it is behind it.

    KASAN names where the call of its check returns to (mm/kasan/generic.c, _RET_IP_).  KFENCE does so where
    it checks what is freed, having no registers then (mm/kfence/report.c kfence_report_error).
    """
    if report.kind is Kind.KFENCE and report.details.get("bug", "") in {"memory corruption", "invalid free"}:
        return False
    return "int3" not in report.title and report.kind is not Kind.KASAN


def _without_machinery(frames: Sequence[Frame], at: Frame | None) -> Sequence[Frame]:
    """A trace without what the kernel did to report it, and without the place itself, told before."""
    begin = 0
    for index, frame in enumerate(frames):
        if at is not None and _same(frame, at):
            begin = index + 1
            continue
        if not frame.reliable:
            continue
        if frame.module or not MACHINERY.match(frame.symbol):
            break
        begin = index + 1
    return frames[begin:] if begin < len(frames) else frames


def _same(one: Frame, other: Frame) -> bool:
    return (one.symbol, one.offset, one.module) == (other.symbol, other.offset, other.module)


def near_directories(path: Path) -> list[Path]:
    """Where the source of a module's file may be: beside it, and above it."""
    here = path.resolve().parent
    return [here, here.parent, here / "src"]
