# SPDX-License-Identifier: MIT
"""`lkm decode`: a kernel's report at its source lines."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lkm.cli import common
from lkm.errors import BadInputError, LkmError, UsageError

if TYPE_CHECKING:
    from lkm.decode import Decoded
    from lkm.decode.last import LastRun
    from lkm.kernel import Kernel
    from lkm.klog import Record

_LIMIT = 1 << 30  # bytes of a log
_MOST_LATER = 8  # lines on the reports after the first


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("words", nargs=-1, metavar="[LOG] [KO|DIR|FILE.c]...")
@click.option(
    "-m",
    "--module",
    "modules",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="KO|DIR|FILE.c",
    help="The module that crashed, a directory with it, or its source, once built. Repeatable.",
)
@common.kernel_option
@click.option("--all", "show_all", is_flag=True, help="Every report in full, not only the first.")
@common.json_option
def command(
    words: tuple[str, ...],
    *,
    modules: tuple[Path, ...],
    kernel_name: str | None,
    show_all: bool,
    as_json: bool,
) -> int:
    """A kernel's report (oops, warning, KASAN…) at its source lines, and what it means.

    LOG is a file with a kernel log in any form, - for standard input. With neither file nor pipe: the last
    run in which the kernel reported something. Exit status 1 where the log holds no report.

    \b
    lkm decode                              the last lkm run
    lkm decode crash.txt hello.ko           a log from elsewhere
    dmesg | lkm decode --module build/      modules of a directory
    """
    logs, given = _split(words)
    paths = [*given, *modules]
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file", hint="lkm decode LOG MODULE.ko")
    log: Sequence[Record]
    empty: Callable[[], tuple[str, str]]
    from lkm.klog import parse_log

    kernel = _find_kernel(kernel_name)
    vmlinux = None
    if logs or _is_piped():
        name = logs[0] if logs else "-"
        data = _read(name)
        log = parse_log(data)
        empty = partial(_why_nothing, name, log if data.strip() else None)
        paths = paths or _beside()
    else:
        last = _last()
        log, empty = last.log, _nothing_in_last
        _tell_which(last)
        paths = [*_of_last(paths, last), *(path for path in last.modules if path.is_file())]
        vmlinux = last.vmlinux
    from lkm.decode import decode_log

    decoded = decode_log(log, modules=paths, kernel=kernel, vmlinux=None if kernel else vmlinux)
    if as_json:
        from lkm.show.decode import decode_json

        common.emit_json(decode_json(decoded))
    else:
        _show(decoded, show_all=show_all, empty=empty)
        _tell_cut(decoded, log)
    return 0 if decoded else 1


def _split(words: tuple[str, ...]) -> tuple[list[str], list[Path]]:
    """The log and the modules among the words."""
    from lkm.module.file import is_module_file

    modules = [
        Path(word)
        for word in words
        if is_module_file(word) or Path(word).suffix == ".c" or (word != "-" and Path(word).is_dir())
    ]
    logs = [word for word in words if Path(word) not in modules]
    if len(logs) > 1:
        raise UsageError(f"'{logs[1]}': one log at a time", hint=f"lkm decode {logs[0]}")
    return logs, modules


def _is_piped() -> bool:
    """Whether something comes on standard input: a pipe or a file, not a terminal and not /dev/null."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _read(name: str) -> bytes:
    if name == "-":
        data = sys.stdin.buffer.read(_LIMIT + 1)
    else:
        try:
            with Path(name).open("rb") as file:
                data = file.read(_LIMIT + 1)
        except OSError as error:
            raise UsageError(f"cannot read {name}: {error.strerror}", hint="dmesg | lkm decode") from error
    if len(data) > _LIMIT:
        raise BadInputError(f"{name}: more than 1 GiB of log", hint=f"tail -c 100M {name} | lkm decode")
    return data


_WHOLE = "lkm decode takes the log from its BUG:, Oops: or WARNING: line on"


def _why_nothing(name: str, log: Sequence[Record] | None) -> tuple[str, str]:
    """What is said of a log without a report (None: an empty one), and what to type."""
    from lkm.klog import find_remains

    where = "what came through the pipe" if name == "-" else name
    if log is None:
        what = "nothing came through the pipe (dmesg may need root)" if name == "-" else f"{name} is empty"
        return what, "sudo dmesg | lkm decode"
    left = find_remains(log)
    if left is None:
        return f"no kernel report in {where}", "journalctl -k -b -1 | lkm decode has the boot before this one"
    at = f"; it happened at {left}" if left else ""
    return f"no kernel report in {where}: the beginning of one is missing{at}", _WHOLE


def _tell_cut(decoded: Sequence[Decoded], log: Sequence[Record]) -> None:
    """Says of what seems a mere trace that it is the end of a report."""
    from lkm.klog import Kind, find_remains

    reports = [one.report for one in decoded]
    if not reports or any(report.kind is not Kind.STACK_TRACE for report in reports):
        return
    left = find_remains([*log[: reports[0].first], *log[reports[-1].last + 1 :]])
    if left is not None:
        at = f"; it happened at {left}" if left else ""
        common.note(f"the beginning of a report is missing, this is its end{at}")
        common.hint(_WHOLE)


def _nothing_in_last() -> tuple[str, str]:
    return "no kernel report in the last run", "lkm decode LOG MODULE.ko"


def _of_last(paths: Sequence[Path], last: LastRun) -> list[Path]:
    """What was given, so far as it can be of the last run; what is of another module is told."""
    from lkm.decode.given import open_modules
    from lkm.module.file import module_name

    names = {module_name(path.name) for path in last.modules}
    theirs = [path for path in paths if names & open_modules([path], names).keys()]
    for path in paths:
        if names and path not in theirs:
            common.note(f"{path} is not of the last run, which was of {' '.join(sorted(names))}")
            common.hint(f"lkm decode LOG {path}")
    return theirs if names else list(paths)


def _tell_which(last: LastRun) -> None:
    """Which run it is that is decoded: its sources or modules, when, on which kernel."""
    from lkm.paths import source_of
    from lkm.show.decode import near_path

    names = dict.fromkeys(near_path(source_of(path) or path) for path in last.modules)
    now, then = time.localtime(), time.localtime(last.when)
    when = time.strftime("%H:%M" if now[:3] == then[:3] else "%Y-%m-%d %H:%M", then)
    kernel = f", kernel {last.kernel}" if last.kernel else ""
    common.note(f"the last run: {' '.join(names) or 'no module'}, at {when}{kernel}", dim=True)


def _beside() -> list[Path]:
    """The modules of the current directory, and what was built from it; those that do not fit the log are not
    used."""
    from lkm.decode.code import open_code
    from lkm.decode.given import find_made

    found = find_made(Path())
    for path in sorted(Path().glob("*.ko")):
        with suppress(LkmError):
            found.append(open_code(path).path)
    return found


def _last() -> LastRun:
    from lkm.decode.last import read_last

    last = read_last()
    if last is None:
        raise UsageError(
            "no log was given, and no run is kept in which the kernel reported something",
            hint="lkm decode LOG MODULE.ko, or dmesg | lkm decode",
        )
    return last


def _find_kernel(name: str | None) -> Kernel | None:
    if not name:
        return None
    from lkm.kernel import find_kernel

    return find_kernel(name, need_build=False)


def _show(decoded: Sequence[Decoded], *, show_all: bool, empty: Callable[[], tuple[str, str]]) -> None:
    if not decoded:
        what, hint = empty()
        common.note(what)
        common.hint(hint)
        return
    from lkm.show.decode import format_decoded, later_lines

    width = min(common.terminal_width(), 120)
    shown = decoded if show_all else decoded[:1]
    # click takes the colours out where they are not wanted.
    click.echo("\n".join(format_decoded(one, color=True, width=width) for one in shown), nl=False)
    later = later_lines(decoded[len(shown) :], most=_MOST_LATER)
    if later:
        click.echo()
        common.echo_lines(later)
        common.hint("lkm decode --all shows every report in full")
