# SPDX-License-Identifier: MIT
"""What the verbs share: options, JSON, and a bar for long steps."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def _trace(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from lkm import process

        process.set_trace(lambda line: click.secho(f"+ {line}", dim=True, err=True))


def kernel_option(function: F) -> F:
    """`--kernel NAME`."""
    return click.option(
        "--kernel",
        "kernel_name",
        metavar="NAME",
        help="The kernel: host, debian:6.1, own:NAME, a directory, an image.",
    )(function)


def verbose_option(function: F) -> F:
    """`-v`: show each command as it is run."""
    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_trace,
        help="Show each command as it is run.",
    )(function)


def json_option(function: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")(
        function
    )


def directory_option(function: F) -> F:
    """`-C DIR`, as make and git have it."""
    return click.option(
        "-C",
        "directory",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Work in DIR.",
    )(function)


def to_plain(value: object) -> Any:
    """A value as JSON knows it: dataclasses by field, enums by value, paths and bytes as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: to_plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if hasattr(value, "isoformat"):  # a time; what makes them need not be imported for that
        return value.isoformat()
    return value


def emit_json(value: object) -> None:
    """One JSON document on standard output."""
    import json

    click.echo(json.dumps(to_plain(value), indent=2, ensure_ascii=False))


def terminal_width() -> int:
    """Columns of the terminal; 120 where there is none."""
    import shutil

    return shutil.get_terminal_size((120, 24)).columns


def echo_lines(lines: Iterable[str]) -> None:
    """Lines on standard output; on a terminal those too long for it go on, indented, on the next."""
    width = terminal_width() if sys.stdout.isatty() else 0
    for line in lines:
        click.echo(wrap_line(line, width) if 0 < width < len(line) else line)


def wrap_line(line: str, width: int) -> str:
    """A line in as many of `width` columns as it takes, those after the first under its text."""
    import re
    import textwrap

    start, title = re.match(r"( *)((?:[\w-]+(?: [\w-]+)*: +)?)", line).groups()  # type: ignore[union-attr]
    indent = len(start) + (len(title) if 0 < len(title) <= width // 3 else 4)
    return textwrap.fill(
        line[len(start) :],
        width,
        initial_indent=start,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def note(text: str, **style: Any) -> None:
    """A line for the person, on standard error."""
    click.secho(text, err=True, **style)


def say(text: str, **style: Any) -> None:
    """A sentence for the person, on standard error; on a terminal it goes on, indented, on the next line."""
    width = terminal_width() if sys.stderr.isatty() else 0
    note(wrap_line(text, width) if 0 < width < len(text) else text, **style)


def hint(text: str) -> None:
    """The next thing to type, on standard error."""
    click.secho("hint: ", fg="cyan", bold=True, nl=False, err=True)
    click.echo(text, err=True)


class Bar:
    """Progress of long steps: a bar on a terminal, a line a step elsewhere (see `lkm.progress`)."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._what = ""

    def update(
        self, what: str, done: int = 0, total: int | None = None, *, left: float | None = None
    ) -> None:
        """`done` of `total` units of `what`; `total` None where it is not known; `left` in seconds."""
        if not sys.stderr.isatty():
            if what != self._what:
                note(what)
            self._what = what
            return
        if self._bar is None:
            self._open()
        if what != self._what:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(what, total=total)
            self._what = what
        self._bar.update(self._task, completed=done, total=total, left=left)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            _rate_column(),
            _left_column(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None
            self._what = ""


def _rate_column() -> Any:
    """How fast bytes come, for the steps that count them."""
    from rich.filesize import decimal
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            counts_bytes = task.description.startswith(("fetching", "verifying"))
            speed = task.finished_speed or task.speed if counts_bytes else None
            return Text(f"{decimal(int(speed))}/s" if speed else "")

    return Rate()


def _left_column() -> Any:
    """The time left: as the step itself estimates it, else by the rate so far."""
    from rich.progress import Task, TimeRemainingColumn
    from rich.text import Text

    class Left(TimeRemainingColumn):
        def render(self, task: Task) -> Text:
            left = task.fields.get("left")
            if left is None:
                return super().render(task)
            minutes, seconds = divmod(round(left), 60)
            return Text(f"{minutes // 60}:{minutes % 60:02}:{seconds:02}", style="progress.remaining")

    return Left()


@contextlib.contextmanager
def progress() -> Iterator[Bar]:
    """A `Bar` for the length of the block."""
    bar = Bar()
    try:
        yield bar
    finally:
        bar.close()
