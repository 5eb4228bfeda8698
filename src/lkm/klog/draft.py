# SPDX-License-Identifier: MIT
"""One report while its lines are still being read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum, auto

from lkm.klog import body
from lkm.klog.begin import first_characters
from lkm.klog.facts import MOST, Facts, parse_number
from lkm.klog.frame import parse_frame, parse_place
from lkm.klog.kinds import Start
from lkm.klog.registers import is_kernel_segment, is_register_line, parse_code, parse_registers
from lkm.klog.report import Frame, Kind, Trace

_FOREIGN = {Kind.OUT_OF_MEMORY: 256}  # lines of no known form that a report may hold in a row
_FOREIGN_ELSE = 24
_ARM64 = {"pstate", "sp", "pc", "lr", "x29", "x0"}
# Those that say with a rule of `=` that they are through.
_RULED = {Kind.KASAN, Kind.KFENCE, Kind.KCSAN, Kind.KMSAN, Kind.UBSAN}
# Those whose first trace has a title of its own, before any register.
_HEADED = {
    Kind.KFENCE,
    Kind.KCSAN,
    Kind.KMEMLEAK,
    Kind.SLAB_CORRUPTION,
    Kind.LOCK_DEADLOCK,
    Kind.LOCK_INVERSION,
    Kind.LOCK_HELD,
    Kind.LOCK_MISUSE,
}
# Those that a sentence of their own kind ends (`Out of memory: Killed process`).
_CONCLUDED = {Kind.OUT_OF_MEMORY, Kind.SYSFS_DUPLICATE}
# Since 6.14 the allocator warns at the end of what it says (mm/slub.c __slab_err).
_SLAB = {Kind.SLAB_CORRUPTION, Kind.SLAB_LEAK, Kind.DOUBLE_FREE}
# Those that end with a line that says so, on all architectures.
SAY_END = {
    *_RULED,
    Kind.NULL_POINTER,
    Kind.PAGE_FAULT,
    Kind.GENERAL_PROTECTION,
    Kind.DIVIDE_ERROR,
    Kind.INVALID_OPCODE,
    Kind.STACK_OVERFLOW,
    Kind.BUG,
    Kind.OOPS,
    Kind.WARNING,
    Kind.REFCOUNT,
    Kind.CFI,
} - {Kind.UBSAN}
# What a panic says of itself where another report led to it (kernel/panic.c and its callers).
_LED_TO = re.compile(
    r"Fatal exception|.*panic_on_|hung_task|softlockup|Hard LOCKUP|RCU Stall|KASAN|Oops|kernel stack overflow"
    r"|Machine halted|Attempted to kill|Aiee|System is deadlocked|Out of memory|Unhandled exception"
    r"|Asynchronous SError|bad mode|sleeping|corrupted stack end"
)
# The patterns by the first characters that they allow.
_DETAILS = {
    letter: tuple(one for one in body.DETAILS if letter in first_characters(one.pattern))
    for letter in map(chr, range(0x21, 0x7F))
}


class Stage(Enum):
    """How far a report has got."""

    OPENING = auto()  # its sentences
    BODY = auto()  # processor, registers, traces
    TAIL = auto()  # it said that it ended; registers may come again, and a panic


@dataclass(slots=True)
class Draft(Facts):
    """A report so far; `feed` takes the lines that follow its first."""

    stage: Stage = Stage.OPENING
    dump: bool = False
    ended: bool = False
    parent: Draft | None = None  # the report that made this processor print its trace
    foreign: int = 0  # lines in a row that are of no known form
    _frames: list[Frame] | None = None
    _heading: str = ""
    _section: str = ""
    _in_modules: bool = False
    _in_user: bool = False
    _locks: int = -1  # that are still to be named
    _nested: bool = False  # registers of a place interrupted within a trace

    # -- what begins and joins it

    def open(self, start: Start, match: re.Match[str]) -> None:
        """Takes what its first sentence says."""
        self.keep(match.groupdict())
        if start.whole:
            self.stage, self.ended = Stage.TAIL, True

    def takes(self, start: Start, match: re.Match[str], line: str) -> bool:
        """Whether a sentence that begins reports goes on with this one; if so it is taken."""
        if start.kind is Kind.PANIC:
            return self._take_panic(match, line)
        if start.dump:
            return False
        if start.kind is self.kind and start.whole and self.kind in _CONCLUDED:
            self._close_trace()
            self.keep(match.groupdict())
            self.stage, self.ended = Stage.TAIL, True
            return True
        if start.kind is Kind.WARNING and self.kind in _SLAB and self.stage is Stage.BODY:
            return str(match.groupdict().get("path")).endswith("mm/slub.c")
        if self.stage is not Stage.OPENING:
            return False
        if start.sentence and self.kind in (Kind.WARNING, Kind.BUG) and "message" not in self.details:
            self.kind, self.title = start.kind, line
            self.details["message"] = line
        elif not start.joins or self.dump:
            return False
        elif self.kind is Kind.OOPS:
            self.kind = start.kind
        self.keep(match.groupdict())
        return True

    def _take_panic(self, match: re.Match[str], line: str) -> bool:
        if self.kind is Kind.PANIC or "panic" in self.details or self.dump:
            return False
        if not _LED_TO.match(match["panic"]):
            return False
        self._close_trace()
        self.details["panic"] = match["panic"]
        self.stage = Stage.BODY
        self._section = line
        self._in_user = False
        return True

    # -- the lines that follow

    def feed(self, line: str) -> bool:
        """Takes a line, without the white space around it; False where it is none of this report's."""
        if self.kind is Kind.KMEMLEAK:  # in the log each of its lines says so (mm/kmemleak.c, pr_fmt)
            line = line.removeprefix("kmemleak:").lstrip()
        taken = self._feed(line)
        if taken:
            self.foreign = 0
        elif line:
            self.foreign += 1
        return taken

    @property
    def lost(self) -> bool:
        """Whether the log has turned to other things."""
        return self.foreign > _FOREIGN.get(self.kind, _FOREIGN_ELSE)

    def _feed(self, line: str) -> bool:
        if not line:
            return False
        listing, self._in_modules = self._in_modules, False
        if "+0x" in line and self._feed_frame(line):  # most lines of a report
            return True
        if line[0] in "-=":
            if body.END.match(line):
                self._close_trace()
                self.stage, self.ended = Stage.TAIL, True
                return True
            if body.RULE.match(line):
                return self._feed_rule(line)
        if self._feed_trace(line) or self._feed_processor(line):
            return True
        if listing and body.MORE_MODULES.fullmatch(line) and not body.AFTER.match(line):
            self.keep_modules(line)
            self._in_modules = True
            return True
        return self._feed_detail(line)

    def _feed_rule(self, line: str) -> bool:
        if line[0] == "=" and self.kind in _RULED and self.stage is not Stage.OPENING:
            self._close_trace()
            self.stage, self.ended = Stage.TAIL, True
            return True
        if line[0] == "=":
            return False
        return self.stage is not Stage.TAIL

    def _feed_trace(self, line: str) -> bool:
        if line[0] not in "CsSBNtAFK<[?0":
            return False
        if body.TRACE.match(line):
            if self.stage is Stage.TAIL:
                return False
            self._close_trace()
            self.stage = Stage.BODY
            self._heading, self._section = self._section or "Call Trace", ""
            self._frames = []
            self._in_user = False
            return True
        if self.stage is Stage.TAIL:
            return False
        if match := body.SECTION.match(line):
            self._keep_section(match)
            return True
        if mark := body.MARK.fullmatch(line):
            if mark["end"] and mark["stack"] == "TASK":
                self._close_trace()
                self.ended = self.ended or self.kind not in SAY_END
            return True
        return self._feed_frame(line)

    def _feed_frame(self, line: str) -> bool:
        frame = parse_frame(line) if self.stage is not Stage.TAIL else None
        if frame is None:
            return False
        self._nested = self._in_user = False
        if self._frames is None:
            self._frames = []
        if len(self._frames) < MOST:
            self._frames.append(frame)
        if self.stage is Stage.OPENING and self.kind is not Kind.UBSAN:
            self.stage = Stage.BODY
        return True

    def _feed_processor(self, line: str) -> bool:
        letter = line[0]
        if letter in "RIE" and (match := body.INSTRUCTION.fullmatch(line)):
            self._keep_instruction(match)
            if letter == "I":  # before 4.19 it stood before `Oops:`
                return True
        elif letter in "pPlL" and (match := body.PC.match(line) or body.LR.match(line)):
            self.arch = self.arch or "aarch64"
            if letter in "pP":
                self.at = self.at or parse_place(match["place"])
            else:
                self.details.setdefault("lr", match["place"])
        elif letter in "RECDFGPxspl" and is_register_line(line):
            self._keep_registers(line)
        elif letter not in "CPM":
            return False
        elif match := body.CODE.match(line):
            if not self._in_user and not self._nested:
                self.code = self.code or parse_code(match["code"])
        elif match := body.CPU.match(line) or body.PID.match(line):
            if self.stage is Stage.TAIL:
                return False
            self._close_trace()
            self.keep_cpu(match)
        elif body.MODULES.match(line):
            self._close_trace()
            self._in_modules = not self.modules
            self.keep_modules(line[len("Modules linked in:") :])
        else:
            return False
        if self.stage is Stage.OPENING:
            self.stage = Stage.BODY
        return True

    def _feed_detail(self, line: str) -> bool:
        if "panic" in self.details and body.LAST.match(line):
            self.ended = True
        if self.stage is Stage.TAIL:
            match = body.AFTER.match(line)
            if match is not None:
                self.keep(match.groupdict())
            return match is not None
        if line[0] == "#" and self._locks > 0:
            self._locks -= 1
            # Nothing follows the locks that a task takes with it into user space.
            self.ended = self.ended or (self._locks == 0 and self.kind is Kind.LOCK_HELD)
        for pattern in _DETAILS.get(line[0], body.DETAILS):
            if match := pattern.match(line):
                groups = match.groupdict()
                self.keep(groups)
                if "locks_held" in groups:
                    self._locks = parse_number(match["locks_held"])
                break
        else:
            headed = line.endswith(":") and (self.stage is Stage.BODY or self.kind in _HEADED)
            if not headed and not body.QUIET.match(line):
                return self._feed_message(line)
        if line.endswith(":") and (self.stage is Stage.BODY or self.kind in _HEADED):
            self._close_trace()
            self._heading = line[:-1].rstrip()
        return True

    def _feed_message(self, line: str) -> bool:
        """Until 4.x a warning's own words came after it."""
        if self.stage is Stage.OPENING and self.kind is Kind.WARNING and "message" not in self.details:
            self.details["message"] = line
            return True
        return False

    # -- keeping

    def _close_trace(self) -> None:
        if self._frames and len(self.traces) < MOST:
            self.traces.append(Trace(self._heading or "Call Trace", tuple(self._frames)))
        self._frames = None
        self._heading = ""
        self._nested = False

    def close(self) -> None:
        """No line follows."""
        self._close_trace()

    def adopt(self, other: Draft) -> None:
        """Takes in what another processor printed for this report."""
        self.traces += other.traces[: MOST - len(self.traces)]
        self.last = max(self.last, other.last)
        if self.at is None:
            self.at, self.registers, self.code = other.at, other.registers, other.code
        if self.pid < 0:
            self.pid, self.comm = other.pid, other.comm
            self.release, self.taint = other.release, other.taint
        self.arch = self.arch or other.arch

    def _keep_instruction(self, match: re.Match[str]) -> None:
        self._in_user = match["cs"] is not None and not is_kernel_segment(match["cs"])
        if self._in_user:
            return
        self.arch = self.arch or "x86_64"
        address = int(match["address"], 16) if match["address"] else None
        frame = parse_place(match["place"]) if match["place"] else None
        if frame is None and address is not None:
            frame = Frame("", address=address)
        if frame is None:
            return
        if address is not None and frame.address is None:
            frame = Frame(frame.symbol, frame.offset, frame.size, frame.module, address=address)
        if self._frames is not None:  # an interrupted place within a trace
            frame = replace(frame, interrupted=True)
            # The NMI that a hanging kernel is sent finds it where it hangs.
            if self.at is None and self.details.get("panic", "").startswith("NMI"):
                self.at = frame
            else:
                self._nested = True
            if len(self._frames) < MOST:
                self._frames.append(frame)
        elif self.at is None or not self.registers:  # a warning's own line may name the place of the call
            self.at = frame

    def _keep_section(self, match: re.Match[str]) -> None:
        self._close_trace()
        self._in_user = False
        if match["state"] or match["cpu"]:
            self._section = match[0] if match["cpu"] else f"task {match['comm']}:{match['pid']}"
            if self.dump or self.kind is Kind.HUNG_TASK:
                self.keep(match.groupdict())
        else:
            self._heading = match[0]

    def _keep_registers(self, line: str) -> None:
        # Those of user space, and those of a place interrupted within a trace, are not where it happened.
        if self._in_user or self._nested or (self.stage is Stage.TAIL and self.registers):
            return
        values = parse_registers(line)
        self.arch = self.arch or ("aarch64" if _ARM64 & values.keys() else "x86_64")
        if list(values) == [
            "cr2"
        ]:  # the address once more: taking the code's bytes may have changed CR2 itself
            self.registers.update(values)
        for name, value in values.items():
            if len(self.registers) < MOST:
                self.registers.setdefault(name, value)
