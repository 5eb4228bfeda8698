# SPDX-License-Identifier: MIT
"""A report of the kernel's at its source lines, with what it means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.decode.code import KernelFile
from lkm.decode.disassemble import Disassembly, disassemble
from lkm.decode.dwarf.debug import DAMAGE
from lkm.decode.dwarf.variables import REGISTERS
from lkm.decode.evidence import Evidence
from lkm.decode.given import missing_words, open_modules
from lkm.decode.meaning import explain
from lkm.decode.pointer import NEAR_NULL, Seen, Surroundings, find_called, find_divisor, find_followed
from lkm.decode.poison import explain_value
from lkm.decode.source import find_source, read_excerpt
from lkm.decode.trace import MACHINERY, Files, is_exact, near_directories, return_site, walk_report
from lkm.decode.value import Decoded, Excerpt, Register, SourceLine, Step, Walk
from lkm.errors import BadInputError, LkmError
from lkm.klog.report import Frame, Kind, Report

if TYPE_CHECKING:
    from lkm.kernel import Kernel
    from lkm.klog import Record


def decode_log(
    log: str | bytes | Path | Sequence[Record],
    *,
    modules: Sequence[Path | str] = (),
    kernel: Kernel | None = None,
    vmlinux: Path | None = None,
) -> tuple[Decoded, ...]:
    """The reports in a kernel log, decoded, in the log's order: the first is the likeliest cause.

    `log`: its text, a file, or records.  `modules`: `.ko` files of the modules that crashed, directories with
    them, or sources that were built (as `lkm build` takes them).  `kernel`: the one that ran; its frames get
    lines where its vmlinux has debug information (`vmlinux` names that file itself).
    Raises `BadInputError` for a file that cannot be read or is no module.
    """
    from lkm.klog import find_reports, parse_log

    if isinstance(log, Path):
        log = _read_file(log)
    if isinstance(log, str):
        log = log.encode()
    records = parse_log(log) if isinstance(log, bytes) else log
    return decode_reports(find_reports(records), modules=modules, kernel=kernel, vmlinux=vmlinux)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}") from error


def decode_reports(
    reports: Iterable[Report],
    *,
    modules: Sequence[Path | str] = (),
    kernel: Kernel | None = None,
    vmlinux: Path | None = None,
) -> tuple[Decoded, ...]:
    """As `decode_log`, of reports that were found already."""
    reports = tuple(reports)
    named = {frame.module for one in reports for frame in _all_frames(one) if frame.module}
    given = [Path(one) for one in modules]
    files = Files(open_modules(given, named), _open_vmlinux(vmlinux or find_vmlinux(kernel)), given=given)
    files.choose(reports)
    decoded: list[Decoded] = []
    cause = False
    for report in reports:
        one = _decode(report, files)
        decoded.append(replace(one, follows=cause))
        cause = cause or report.kind is not Kind.STACK_TRACE
    return tuple(decoded)


def _all_frames(report: Report) -> Iterable[Frame]:
    if report.at is not None:
        yield report.at
    for trace in report.traces:
        yield from trace.frames


def find_vmlinux(kernel: Kernel | None) -> Path | None:
    """The vmlinux of a kernel, of its own build or as distributions install it; None where there is none."""
    if kernel is None:
        return None
    places = [Path("/usr/lib/debug/boot", f"vmlinux-{kernel.release}")]
    places += [Path("/usr/lib/debug/lib/modules", kernel.release, "vmlinux")]
    if kernel.build is not None:
        places.insert(0, kernel.build / "vmlinux")
    return next((path for path in places if path.is_file()), None)


def _open_vmlinux(path: Path | None) -> KernelFile | None:
    """Where it holds debug information; names are all that is known else."""
    try:
        code = KernelFile(path, name="vmlinux") if path is not None else None
        return code if code is not None and code.has_debug else None
    except (LkmError, OSError):
        return None


def _decode(report: Report, files: Files) -> Decoded:
    files.notes.clear()
    files.choose([report])
    walks = walk_report(report, files)
    step, inside, exact = _culprit(report, walks)
    place = step.own if step is not None else None
    if place is None and report.place is not None and report.at is not None and report.at.module:
        place = SourceLine(report.at.symbol.partition(".")[0], report.place.path, report.place.line)
    _note_missing(report, step, files)
    excerpt = _excerpt(place, step, report, files)
    line = excerpt.lines[excerpt.marked - excerpt.first] if excerpt is not None else ""
    disassembly = _disassemble(report, step if exact else None, files)
    evidence = Evidence(report, place, line, inside, walks, disassembly)
    try:
        evidence = _follow(evidence, step, files, exact=exact)
    except (LkmError, *DAMAGE) as error:
        files.note(f"debug information cannot be read: {error}")
    words = explain(evidence)
    return Decoded(
        report,
        words.means,
        words.usually,
        place,
        evidence.followed.expression if evidence.followed else "",
        excerpt,
        disassembly.instructions,
        _registers(report, disassembly),
        walks,
        tuple(files.notes),
    )


# Reports of an access, that tell of who allocated and freed the memory, too; of others that is the place.
_ACCESSES = {Kind.KASAN, Kind.KFENCE, Kind.DOUBLE_FREE, Kind.INVALID_FREE, Kind.USE_AFTER_FREE}
# Lockdep's tell first how locks were taken before; what it is about is who takes one now.
_LOCKS = {Kind.LOCK_INVERSION, Kind.LOCK_DEADLOCK}
_HISTORIES = ("Allocated", "Freed", "allocated", "freed", "Last potentially")


def _culprit(report: Report, walks: tuple[Walk, ...]) -> tuple[Step | None, str, bool]:
    """The frame of a given module that a report is about, the kernel's function that it called ("" where it
    was itself at work), and whether it is where the processor was."""
    if report.kind in _ACCESSES:
        walks = tuple(sorted(walks, key=lambda walk: walk.title.startswith(_HISTORIES)))
    if report.kind in _LOCKS:
        walks = tuple(sorted(walks, key=lambda walk: not walk.title.startswith("Call Trace")))
    any_known = any(step.known for walk in walks for step in walk.steps)
    with_lines = {step.frame.module for walk in walks for step in walk.steps if step.lines}
    for unsure in (False, True):  # what only lay on the stack is better than nothing
        found = _first_of_module(walks, any_known=any_known, unsure=unsure, with_lines=with_lines)
        if found is not None:
            step, before, walk = found
            return step, before, not walk.title and is_exact(report)
    return None, "", False


def _first_of_module(
    walks: tuple[Walk, ...], *, any_known: bool, unsure: bool, with_lines: set[str]
) -> tuple[Step, str, Walk] | None:
    """The first that has lines, where its module has any: data that was run as code has none."""
    before = ""
    for walk in walks:
        for step in walk.steps:
            frame = step.frame
            told = step.lines or frame.module not in with_lines
            if frame.module and (step.known or not any_known) and (frame.reliable or unsure) and told:
                return step, before, walk
            if frame.reliable and frame.symbol and not frame.module and not MACHINERY.match(frame.symbol):
                before = frame.symbol.partition(".")[0]
        if walk.title:
            before = ""
    return None


def _note_missing(report: Report, step: Step | None, files: Files) -> None:
    """Says why there are no source lines."""
    named = dict.fromkeys(frame.module for frame in _all_frames(report) if frame.module and frame.reliable)
    for name in named:
        if name not in files.modules:
            files.note(missing_words(name, files.given, set(named)))
    if step is not None and step.known and not step.lines:
        code = files.find(step.frame)
        if code is not None and not code[0].has_debug:
            files.note(
                f"no source lines: {code[0].path} has no debug information (a kernel with CONFIG_DEBUG_INFO "
                "gives it to its modules; it is stripped by strip -g)"
            )


def _excerpt(place: SourceLine | None, step: Step | None, report: Report, files: Files) -> Excerpt | None:
    if place is None:
        return None
    found = files.find(step.frame) if step is not None and step.known else None
    near = near_directories(found[0].path) if found is not None else []
    path = find_source(place.path, near=[*near, Path.cwd()])
    if path is None:
        files.note(f"the source is neither at {place.path} nor beside the module")
        return None
    excerpt = read_excerpt(path, place.line, module=found[0].path if found is not None else None)
    if excerpt is None:
        files.note(f"{path} has no line {place.line}: it is not the source of this module")
    elif excerpt.newer:
        files.note(f"{path} was changed after the module was built: the lines may have moved")
    return excerpt


def _disassemble(report: Report, step: Step | None, files: Files) -> Disassembly:
    """From the log's own bytes; where the kernel could not read them, from the file of `step`."""
    code = report.code
    place = files.find(step.frame) if code is None and step is not None and step.known else None
    if place is not None:
        try:
            code = place[0].bytes_at(place[1])
        except (LkmError, *DAMAGE):
            code = None
    if code is None:
        return Disassembly(())
    within = report.at.offset if report.at is not None and report.at.offset else 0
    return disassemble(code, report.arch, within=within)


def _follow(evidence: Evidence, step: Step | None, files: Files, *, exact: bool) -> Evidence:
    """Adds what was followed, divided by or called."""
    report, memory = evidence.report, evidence.disassembly.memory
    base = register_value(report, memory.base) if memory is not None and memory.base else None
    near_null = report.address is not None and report.address < NEAR_NULL
    evidence = replace(evidence, base=base, divisor=find_divisor(evidence.line))
    place = files.find(step.frame) if step is not None and step.known else None
    if step is None or place is None or not place[0].has_debug:
        return evidence
    code, found = place
    address = return_site(found.address, step.frame, exact=exact)
    around = Surroundings(code, address, code.scopes(address))
    evidence = replace(evidence, called=find_called(around, evidence.line))
    register, offset = "", report.address if near_null else None
    if exact and memory is not None and memory.base and "kasan" not in report.details:
        register, offset = memory.base, memory.displacement
    # A function of the kernel's at work followed what it was given: not what the line itself accesses.
    if offset is None or report.kind not in _POINTER_KINDS or evidence.inside:
        return evidence
    registers = {name: value for name in _REGISTERS if (value := register_value(report, name)) is not None}
    indexed = memory is not None and bool(memory.scaled)
    seen = Seen(
        offset,
        register,
        None if indexed else base,
        report.address,
        report.access,
        registers if exact else {},
    )
    return replace(evidence, followed=find_followed(around, evidence.line, seen))


_REGISTERS = [name for names in REGISTERS.values() for name in names]


_POINTER_KINDS = {
    Kind.NULL_POINTER,
    Kind.PAGE_FAULT,
    Kind.GENERAL_PROTECTION,
    Kind.OOPS,
    Kind.KASAN,
    Kind.USE_AFTER_FREE,
    Kind.LIST_CORRUPTION,
}


def register_value(report: Report, name: str) -> int | None:
    """A register's value; x86 prints `r8` as `R08`."""
    value = report.registers.get(name)
    if value is None and name in {"r8", "r9"}:
        return report.registers.get(f"r0{name[1]}")
    return value


def _registers(report: Report, disassembly: Disassembly) -> tuple[Register, ...]:
    """The registers that the faulting instruction names, and the address that was accessed."""
    found = []
    for name in disassembly.registers:
        value = register_value(report, name)
        if value is not None:
            what = explain_value(value, arch=report.arch) if value else None
            is_base = disassembly.memory is not None and name == disassembly.memory.base
            meaning = what.text if what is not None and what.name not in {"near-null", "user"} else ""
            found.append(Register(name, value, "NULL" if is_base and not value else meaning))
    return tuple(found)
