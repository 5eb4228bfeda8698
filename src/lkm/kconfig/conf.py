# SPDX-License-Identifier: MIT
"""The kernel's own configuration tools: `make … defconfig` and its like, and `conf` itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

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


def settle(conf: Path, flat: Path, tree: Tree, text: str) -> dict[str, str]:
    """What `conf --olddefconfig` makes of a configuration, from the flat copy of the tree's Kconfig files.

    Writes into a directory of its own.  Raises `BadInputError` where conf refuses it.
    """
    import tempfile  # an answer that is remembered needs none

    parent = make_dir(cache_dir() / "kconfig")
    with tempfile.TemporaryDirectory(prefix=".settle-", dir=parent) as work:
        config = Path(work, ".config")
        config.write_text(text, encoding="utf-8")
        environment = make_environment() | {
            "srctree": str(tree.path),
            "KCONFIG_CONFIG": str(config),
            "SRCARCH": tree.arch,
            "KERNELVERSION": tree.version,
        }
        result = process.run(
            [conf, "-s", "--olddefconfig", flat], cwd=Path(work), env=environment, timeout=_TIMEOUT
        )
        if result.status != 0:
            raise BadInputError(f"conf refuses the configuration: {_reason(result)}")
        return parse_config(config.read_text(encoding="utf-8", errors="replace"))
