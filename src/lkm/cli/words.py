# SPDX-License-Identifier: MIT
"""What the verbs that use a guest are given: modules, parameters, and the guest's settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click

from lkm.cli import common
from lkm.config import Config
from lkm.errors import UsageError

_ASSIGNMENT = re.compile(r"^[A-Za-z_][\w.-]*=")


def is_assignment(word: str) -> bool:
    """Whether a word of the command line is `name=value`, or `module.name=value`, and not a path."""
    return _ASSIGNMENT.match(word) is not None


def split_words(
    words: tuple[str, ...], directory: Path, *, find: Callable[[str], Path | None] | None = None
) -> tuple[list[Path], list[str]]:
    """Module sources and files, and `name=value` words; no source means `directory` itself.

    `find` gives the file for a word that is none, such as a module's name.
    """
    parameters = [word for word in words if is_assignment(word)]
    sources = []
    for index, word in enumerate(words):
        if is_assignment(word):
            continue
        path = directory / word
        if not path.exists() and find is not None and (found := find(word)) is not None:
            path = found
        elif not path.exists():
            raise UsageError(
                f"{word}: there is no such file or directory",
                hint=_near(path, words[:index], words[index + 1 :]),
            )
        sources.append(path)
    return sources or [directory], parameters


def by_name(kernel: str | None, start: Path) -> Callable[[str], Path | None]:
    """Finds the kernel's own modules, for `split_words`."""

    def find(word: str) -> Path | None:
        from lkm.cli.where import find_named_module  # few are asked for by name

        return find_named_module(word, kernel=kernel, start=start)

    return find


def _near(path: Path, before: tuple[str, ...], rest: tuple[str, ...]) -> str:
    """What may have been meant by a path that is not there, with the words before it and after."""
    if before and is_assignment(before[-1]):
        return f"a value with a space in it is quoted: '{before[-1]} {path.name}'"
    if path.name.isidentifier() and rest and not Path(rest[0]).exists():
        return f"a module's parameter is one word: {path.name}={rest[0]}"
    from difflib import get_close_matches

    beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    near = get_close_matches(path.name, beside, n=1)
    if near:
        return f"lkm run {path.parent / near[0]}"
    if not path.parent.is_dir():
        return f"there is no directory {path.parent} either"
    if before and path.name.isidentifier():
        return f"a module's parameter is written {path.name}=VALUE"
    return f"lkm new {path.name}" if path.name.isidentifier() else "lkm run DIR, or FILE.ko"


def guest_options(function: common.F) -> common.F:
    """The options that shape a guest."""
    for option in reversed(
        (
            click.option(
                "--timeout", type=click.FloatRange(0.1), metavar="SECONDS", help="For all in the guest (30)."
            ),
            click.option(
                "--memory", type=click.IntRange(64), metavar="MIB", help="The guest's memory (256)."
            ),
            click.option(
                "--cpus", type=click.IntRange(1, 64), metavar="N", help="The guest's processors (1)."
            ),
            click.option("--cmdline", metavar="WORDS", help="Added to the kernel command line."),
            click.option("--cold", is_flag=True, help="Boot, do not start from the saved guest."),
        )
    ):
        function = option(function)
    return function


class GuestWords(NamedTuple):
    """A guest's settings, named as `lkm.Guest` and `lkm.Job` name them."""

    timeout: float
    memory: int
    cpus: int
    cmdline: str
    template: bool


def guest_settings(
    config: Config,
    *,
    timeout: float | None,
    memory: int | None,
    cpus: int | None,
    cmdline: str | None,
    cold: bool,
) -> GuestWords:
    """Options first, then lkm.toml, then the defaults."""
    return GuestWords(
        timeout=config.timeout if timeout is None else timeout,
        memory=config.memory if memory is None else memory,
        cpus=config.cpus if cpus is None else cpus,
        cmdline=config.cmdline if cmdline is None else cmdline,
        template=not cold,
    )
