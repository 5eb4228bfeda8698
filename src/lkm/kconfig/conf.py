# SPDX-License-Identifier: MIT
"""The kernel's own configuration tools: `make … defconfig` and its like, and `conf` itself."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lkm import process
from lkm.errors import BadInputError, MissingError
from lkm.kconfig.dotconfig import parse_config
from lkm.kconfig.tree import Tree, check_clean, make_environment
from lkm.paths import cache_dir, make_dir

_TIMEOUT = 300.0
# More empty lines than there are questions: each takes the default.
_DEFAULTS = b"\n" * 20000
_NEW = re.compile(r"^CONFIG_(\w+)=(.*)$", re.MULTILINE)


def run_target(
    tree: Tree, output: Path, target: str, *, settings: Mapping[str, str] | None = None
) -> process.Result:
    """`make -C TREE O=OUTPUT target`; `settings` are words for make such as KCONFIG_ALLCONFIG.

    Questions are answered by their defaults.  Raises `BadInputError` where make fails, with its words.
    """
    check_clean(tree)
    check_output(output)
    words = {"O": str(output), **dict(tree.words), **(settings or {})}
    argv = ["make", "-C", str(tree.path), *(f"{name}={value}" for name, value in words.items()), target]
    # make asks nothing but what conf asks; the rest comes by words, not by environment, so that -v shows it.
    result = process.run(argv, env=make_environment(), stdin=_DEFAULTS, timeout=_TIMEOUT)
    if result.status != 0:
        raise BadInputError(f"{target} failed: {result.command}\n  {_reason(result)}", hint=_remedy(result))
    return result


def check_output(output: Path) -> None:
    """Raises where Kbuild would not work in a build directory."""
    if " " in str(output) or ":" in str(output):
        raise BadInputError(
            f"{output}: Kbuild cannot work in a path with a space or a colon", hint="-O /a/path/without/them"
        )


def _reason(result: process.Result) -> str:
    lines = [line.strip() for line in (result.stderr + result.stdout).splitlines() if line.strip()]
    good = [line for line in lines if "***" in line or "error" in line.lower() or "not found" in line]
    return "\n  ".join((good or lines or ["no reason given"])[:4])


def _remedy(result: process.Result) -> str:
    said = result.stderr + result.stdout
    if "not clean" in said:
        return "make -C TREE mrproper, after keeping the .config that is there"
    if match := re.search(r"compiler '(?:\S*/)?([\w.-]+)' not found", said):
        prefix, gcc, version = match[1].partition("-gcc")
        return f"apt-get install gcc{version}-{prefix}" if gcc else f"apt-get install {match[1]}"
    if match := re.search(r"linker '(?:\S*/)?([\w.-]+)' not found", said):
        cross = match[1].removesuffix("-ld") if match[1].endswith("-ld") else ""
        package = f"binutils-{cross}" if cross else "binutils"
        return f"apt-get install {'lld' if 'lld' in match[1] else package}"
    for tool in ("flex", "bison", "perl", "gcc", "clang"):
        if re.search(rf"\b{tool}\b.*not found|not found.*\b{tool}\b", said):
            return f"apt-get install {tool}"
    if re.search(r"\b(sys/types|stdio|stdlib)\.h: No such file", said):
        return "apt-get install libc6-dev"
    return ""


def list_new(tree: Tree, output: Path) -> dict[str, str]:
    """The options that OUTPUT/.config does not speak of, each with its default (`make listnewconfig`)."""
    result = run_target(tree, output, "listnewconfig")
    return {name: value.strip('"') for name, value in _NEW.findall(result.stdout)}


def find_conf(tree: Tree, output: Path) -> Path:
    """The kernel's own `conf`, built into OUTPUT by Kbuild where it is not there yet."""
    conf = output / "scripts/kconfig/conf"
    if not conf.exists():
        run_target(tree, output, "listnewconfig")  # writes nothing but the program
    if not conf.exists():
        raise MissingError(f"Kbuild made no {conf}", hint="lkm doctor")
    return conf


class Settler:
    """`conf --olddefconfig` on flat Kconfig files, begun before it is known what it is to be asked.

    conf opens the configuration once it has read and finalized the Kconfig files (conf.c, main), which takes
    it a second: where its .config is a pipe, that can be while we are looking for what to try.  One begun
    for nothing is ended with the block.
    """

    def __init__(self, tree: Tree, output: Path) -> None:
        self._tree, self._output = tree, output
        self._conf = output / "scripts/kconfig/conf"
        self._running = contextlib.ExitStack()
        self._finish: Callable[[str], dict[str, str]] | None = None

    def __enter__(self) -> Settler:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._running.__exit__(*raised)

    def begin(self, flat: Path) -> None:
        """Starts conf on the flat copy, where it is there and not started yet."""
        if self._finish is None and self._conf.exists():
            self._start(flat)

    def begin_piped(self) -> int | None:
        """Starts conf on a pipe, and gives where to write the flat copy; None: there is no conf."""
        if not self._conf.exists():
            return None
        source, sink = os.pipe()
        try:
            self._start(Path(f"/proc/self/fd/{source}"), given=(source,))
        except BaseException:
            os.close(sink)
            raise
        return sink

    def settle(self, flat: Path, text: str) -> dict[str, str]:
        """What conf makes of the configuration `text`.

        Raises `BadInputError` where conf refuses it, and as `find_conf`.
        """
        if self._finish is None:
            find_conf(self._tree, self._output)
            self._start(flat)
        assert self._finish is not None
        finish, self._finish = self._finish, None
        with self._running.pop_all():
            return finish(text)

    def _start(self, flat: Path, *, given: tuple[int, ...] = ()) -> None:
        self._finish = self._running.enter_context(_started_conf(self._conf, flat, self._tree, given=given))


def settle(conf: Path, flat: Path, tree: Tree, text: str) -> dict[str, str]:
    """What `conf --olddefconfig` makes of a configuration, from the flat copy of the tree's Kconfig files.

    Raises `BadInputError` where conf refuses it.
    """
    with _started_conf(conf, flat, tree) as finish:
        return finish(text)


@contextlib.contextmanager
def _started_conf(
    conf: Path, flat: Path, tree: Tree, *, given: tuple[int, ...] = ()
) -> Iterator[Callable[[str], dict[str, str]]]:
    """conf in a directory of its own, that waits for its configuration on standard input."""
    import tempfile  # an answer that is remembered needs none

    parent = make_dir(cache_dir() / "kconfig")
    with tempfile.TemporaryDirectory(prefix=".settle-", dir=parent) as work:
        config = Path(work, ".config")
        # conf_write (scripts/kconfig/confdata.c) writes a file beside it and renames that to it.
        config.symlink_to("/proc/self/fd/0")
        # Without it conf_write_autoconf would make one, and a file for each of two thousand options.
        Path(work, "include/config").mkdir(parents=True)
        Path(work, "include/config/auto.conf").touch()
        environment = make_environment() | {
            "srctree": str(tree.path),
            "KCONFIG_CONFIG": str(config),
            "SRCARCH": tree.arch,
            "KERNELVERSION": tree.version,
        }

        def finish(text: str) -> dict[str, str]:
            result = hand_over(text.encode("utf-8"))
            if result.status != 0 or config.is_symlink():
                raise BadInputError(f"conf refuses the configuration: {_reason(result)}")
            return parse_config(config.read_text(encoding="utf-8", errors="replace"))

        with process.started(
            [conf, "-s", "--olddefconfig", flat], cwd=Path(work), env=environment, given=given,
            timeout=_TIMEOUT,
        ) as hand_over:  # fmt: skip
            yield finish
