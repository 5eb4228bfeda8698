# SPDX-License-Identifier: MIT
"""A kernel log from wherever it comes: each line's format is recognised by itself.

Formats: /dev/kmsg as `cat` shows it; `dmesg` plain, `-r`, `-x`, `-d`, `-T`, `-H`, `--time-format …`, `-J`;
`journalctl -k` in its textual formats and as JSON; /var/log/kern.log; a serial console, with levels
(`console_msg_format=syslog`) and callers (CONFIG_PRINTK_CALLER) or without; and text without any of these,
as it is pasted into mails (`> ` before each line), Markdown and trackers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO, TextIOWrapper

from lkm.klog.record import Record, undo_escapes

NO_TIME = -1.0
_INFO = 6
_LONGEST_TEXT = 1 << 16  # characters; the kernel's records have 1 KiB, once 8 (kernel/printk LOG_LINE_MAX)
_LONGEST_PREFIX = 160
_DEEPEST = 8
_LEVELS = {
    name: level
    for level, name in enumerate(("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"))
}

# `<6>[    1.234567][   T45] text`; `-d` adds the time since the last one within the brackets.
_STAMPED = re.compile(
    r"(?:<(\d{1,7})>)?\[ *(\d{1,10}\.\d{6})(?: <[^>\n]{1,20}>)?\](?: ?\[ *([TC]\d{1,10})\])? ?([^\n]*)"
)
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?Z|[+-]\d\d:?\d\d| [A-Z]{2,5})?"
# A time of day in place of the kernel's clock: -T, -H, --time-format iso, delta.
_DATED = re.compile(
    r"(?:<(?P<priority>\d{1,7})>)?(?:"
    rf"\[(?P<date>[A-Z][a-z]{{2}} {_MONTH} [ \d]\d \d\d:\d\d:\d\d \d{{4}}|{_MONTH}[ \d]\d \d\d:\d\d)\]"
    r"|\[(?: *\+|< *)\d{1,10}\.\d{6}>?\]"
    r"|(?P<iso>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{6}[+-]\d\d:\d\d)"
    r")(?: \[ *(?P<caller>[TC]\d{1,10})\])? ?(?P<text>[^\n]*)"
)
_DECODED = re.compile(
    rf"(?:kern|user|mail|daemon|auth|syslog|lpr|news|local\d|\d+) *:(?P<level>{'|'.join(_LEVELS)}) *: "
)
# journalctl -k, syslog's files: `Nov 23 01:07:28 host kernel: text`; the text may hold a stamp of its own.
_JOURNAL = re.compile(
    rf"(?P<date>{_MONTH} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{{1,9}})?|(?:[A-Z][a-z]{{2}} )?{_ISO}"
    r"|\d{9,11}\.\d{6})"
    r" (?P<host>[^\s\[]\S{0,254}) (?P<program>[^\s:\[]{1,255})(?P<pid>\[\d+\])?: (?P<text>[^\n]*)"
)
_HOST = re.compile(r"\S{1,255} (?P<program>[^\s:\[]{1,255})(?:\[\d+\])?: ")
_TIME = re.compile(rf"{_ISO} ")
_KMSG = re.compile(r"(\d{1,7}),(\d{1,20}),(\d{1,20}),([^;\n]{0,80});([^\n]*)")
_KMSG_KEY = re.compile(r" [A-Z_]+=")
_CALLER = re.compile(r"caller=([TC]\d{1,10})")
_QUOTE = re.compile(r"[ \t]*(?:[>|](?![0-9a-f]{8,16}:)[ \t]?)+")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)[\w-]*$")
_INSIDE = re.compile(r"(?:<\d{1,7}>)?\[ *\d{1,10}\.\d{6}\](?: ?\[ *[TC]\d{1,10}\])? ")
# What other programs put before a kernel's line: a time, `kernel:`, a prompt, a separator.
_PREFIX = re.compile(r"[\W\d_TZ]*(?:\S{1,64} kernel:|kernel:|[a-z]{2,8} *:[a-z]{2,8} *:)?\W*")
_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-9;?]{0,32}[ -/]{0,4}[@-~]|\][^\x07\x1b\n]{0,256}(?:\x07|\x1b\\)?|[@-Z\\^_=>])"
)


def parse_log(data: bytes) -> list[Record]:
    """The records of a kernel log, whatever program wrote it down; never raises for what it says.

    A record without the kernel's time has `seconds` -1 (and `clock`, where a time of day stood there).
    Lines indented below a stamped one go on with its text, as dmesg and journalctl print texts of several
    lines; other lines without a stamp are records of their own.  Lines of other programs in a journal,
    empty lines and Markdown's fences are left out; quotation marks and colours are taken off.
    """
    data = _plain(data)
    if data.lstrip()[:1] == b"{":
        from lkm.klog.journal import parse_json

        return parse_json(data)
    return _Reader().read(TextIOWrapper(BytesIO(data), "utf-8", errors="replace", newline="\n"))


def _plain(data: bytes) -> bytes:
    """Without what a terminal, an editor or a serial line added."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    if b"\x1b" in data:
        data = _ESCAPE.sub(b"", data)
    for byte in (b"\r", b"\0"):
        if byte in data:
            data = data.replace(byte, b"")
    return data


class _Reader:
    """Lines in, records out; `width` is that of the last line's stamp, 0 where it had none."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.width = 0
        self.in_kmsg = False
        self._depth = 0
        self.hosts: set[str] = set()  # that journal lines of the kernel named
        # By a line's first character.
        self._formats: dict[str, tuple[Callable[[str], bool], ...]] = {
            **dict.fromkeys(
                "0123456789", (self._kmsg, self._dated, self._journal, self._decoded, self._timed)
            ),
            **dict.fromkeys("[<", (self._dated,)),
            **dict.fromkeys("ADFJMNOSTW", (self._journal,)),
            **dict.fromkeys("abcdefghijklmnopqrstuvwxyz", (self._decoded,)),
            **dict.fromkeys(" \t>|", (self._freed,)),
            **dict.fromkeys("`~", (self._fence,)),
        }

    def read(self, lines: TextIOWrapper) -> list[Record]:
        stamped = _STAMPED.match
        add = self.records.append
        for line in lines:
            match = stamped(line)
            if match is None:
                self._other(line.rstrip("\n"))
                continue
            priority, seconds, caller, text = match.groups()
            if " kernel: " in text:
                text = _without_host(text)
            add(Record(-1, float(seconds), int(priority) & 7 if priority else _INFO, text, caller or ""))
            self.width = match.start(4)
        return self.records

    def _other(self, line: str) -> None:
        if not line or line.isspace() or self._continues(line):
            return
        for parse in self._formats.get(line[0], ()):
            if parse(line):
                return
        if "] " in line and (match := _INSIDE.search(line)):
            if match.start() > _LONGEST_PREFIX or not _PREFIX.fullmatch(line[: match.start()]):
                self._add(line[: match.start()])
            self._again(line[match.start() :])
            return
        self._add(line)

    def _freed(self, line: str) -> bool:
        """A quotation's marks, or an indented line that is stamped, or a fence."""
        quote = _QUOTE.match(line)
        if quote is not None:
            self._again(line[quote.end() :])
            return True
        rest = line.lstrip(" \t")
        if _STAMPED.match(rest):
            self._again(rest)
            return True
        return rest[:1] in "`~" and self._fence(rest)

    def _fence(self, line: str) -> bool:
        return _FENCE.fullmatch(line) is not None

    def _timed(self, line: str) -> bool:
        """A time that a CI or a container's log puts before each line."""
        match = _TIME.match(line)
        if match is not None:
            self._again(line[match.end() :])
        return match is not None

    def _again(self, line: str) -> None:
        """A line that was freed of what stood before it."""
        if match := _STAMPED.match(line):
            priority, seconds, caller, text = match.groups()
            self._add(text, float(seconds), int(priority) & 7 if priority else _INFO, caller or "")
            return
        if not line or line.isspace():
            return
        # Marks within marks, as of a reply to a reply; not without end.
        self._depth += 1
        parsers = self._formats.get(line[0], ()) if self._depth < _DEEPEST else ()
        if not any(parse(line) for parse in parsers):
            self._add(line)
        self._depth -= 1

    def _continues(self, line: str) -> bool:
        """Texts of several lines are indented by the width of the stamp."""
        width = self.width
        if self.in_kmsg and _KMSG_KEY.match(line):
            return True
        if width < 4 or len(line) <= width or line[:width] != " " * width or not self.records:
            return False
        last = self.records[-1]
        if len(last.text) > _LONGEST_TEXT:
            return False
        self._replace(last, f"{last.text}\n{line[width:]}")
        return True

    def _replace(self, last: Record, text: str) -> None:
        self.records[-1] = Record(last.seq, last.seconds, last.level, text, last.caller, last.clock)

    def _add(
        self,
        text: str,
        seconds: float = NO_TIME,
        level: int = _INFO,
        caller: str = "",
        clock: str = "",
        *,
        seq: int = -1,
        width: int = 0,
    ) -> None:
        self.records.append(Record(seq, seconds, level, text, caller, clock))
        self.width = width
        self.in_kmsg = seq >= 0

    def _kmsg(self, line: str) -> bool:
        match = _KMSG.match(line)
        if match is None:
            return False
        priority, seq, microseconds, flags, text = match.groups()
        caller = _CALLER.search(flags)
        text = undo_escapes(text)
        # A fragment goes on with the record before (Documentation/ABI/testing/dev-kmsg: `c`, once `+`).
        if flags[:1] in "c+" and flags and self.in_kmsg and self.records:
            last = self.records[-1]
            if last.caller == (caller[1] if caller else "") and len(last.text) <= _LONGEST_TEXT:
                self._replace(last, last.text + text)
                return True
        self._add(
            text,
            int(microseconds) / 1e6,
            int(priority) & 7,
            caller[1] if caller else "",
            seq=int(seq),
        )
        return True

    def _dated(self, line: str) -> bool:
        match = _DATED.match(line)
        if match is None:
            return False
        level = int(match["priority"]) & 7 if match["priority"] else _INFO
        clock = match["date"] or match["iso"] or ""
        self._add(match["text"], NO_TIME, level, match["caller"] or "", clock, width=match.start("text"))
        return True

    def _decoded(self, line: str) -> bool:
        match = _DECODED.match(line)
        if match is None:
            return False
        level = _LEVELS[match["level"]]
        rest = line[match.end() :]
        if stamped := _STAMPED.match(rest):
            _, seconds, caller, text = stamped.groups()
            self._add(text, float(seconds), level, caller or "", width=match.end() + stamped.start(4))
        elif dated := _DATED.match(rest):
            clock = dated["date"] or dated["iso"] or ""
            width = match.end() + dated.start("text")
            self._add(dated["text"], NO_TIME, level, dated["caller"] or "", clock, width=width)
        else:
            self._add(rest, NO_TIME, level, width=match.end())
        return True

    def _journal(self, line: str) -> bool:
        match = _JOURNAL.match(line)
        if match is None:
            return False
        self.in_kmsg = False
        if match["program"] != "kernel":
            if not match["pid"] and match["host"] not in self.hosts:
                return False
            self.width = 0
            return True
        self.hosts.add(match["host"])
        text = match["text"]
        if stamped := _STAMPED.match(text):
            _, seconds, caller, text = stamped.groups()
            self._add(text, float(seconds), _INFO, caller or "", match["date"])
        else:
            self._add(text, NO_TIME, _INFO, "", match["date"])
        self.width = match.start("text")
        return True


def _without_host(text: str) -> str:
    """`journalctl -o short-monotonic` names the host and the program after the time."""
    match = _HOST.match(text)
    return text[match.end() :] if match and match["program"] == "kernel" else text
