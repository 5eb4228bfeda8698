# SPDX-License-Identifier: MIT
"""Two configurations compared by option: only in one, only in the other, changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lkm.errors import MissingError, UsageError
from lkm.kconfig.dotconfig import Change, compare, parse_config, read_config_text
from lkm.kconfig.tree import find_source
from lkm.kernel import find_kernel
from lkm.kernel.find import is_path
from lkm.progress import Progress, Silent

_RUNNING = ("running", "host")


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration: what it was named, its file, its options; the sources it is of, where known."""

    name: str
    path: Path
    values: Mapping[str, str]
    tree: Path | None


@dataclass(frozen=True, slots=True)
class Difference:
    """`only_before` and `only_after` are on in one alone, `changed` in both with other values; by name."""

    before: Source
    after: Source
    only_before: tuple[Change, ...]
    only_after: tuple[Change, ...]
    changed: tuple[Change, ...]

    @property
    def same(self) -> bool:
        """Whether no option differs."""
        return not (self.only_before or self.only_after or self.changed)


def find_config(name: str, *, progress: Progress | None = None) -> Path:
    """The configuration file that `name` means: `running`, a file, a build directory, a kernel's name.

    A kernel that is not in the cache is fetched.  Raises `UsageError` and `MissingError`.
    """
    if name in _RUNNING:
        return _find_running()
    path = Path(name).expanduser()
    if path.is_dir() and (path / ".config").is_file():
        return path / ".config"
    if path.is_file():
        return path
    if is_path(name) and not path.exists():
        raise UsageError(
            f"{name}: no such file or directory", hint="a .config, a build directory, debian:6.1"
        )
    kernel = find_kernel(name, need_build=False, progress=progress or Silent())
    if kernel.config is None:
        raise MissingError(f"{name}: its configuration is not known", hint="lkm kernel list")
    return kernel.config


def _find_running() -> Path:
    release = os.uname().release
    places = (f"/boot/config-{release}", "/proc/config.gz", f"/lib/modules/{release}/config")
    for place in places:
        if os.access(place, os.R_OK):
            return Path(place)
    raise MissingError(
        f"the running kernel, {release}, does not say how it was configured ({', '.join(places)})",
        hint="--from debian, or a kernel with CONFIG_IKCONFIG_PROC",
    )


def read_source(name: str, *, progress: Progress | None = None) -> Source:
    """The configuration `name` means; raises as `find_config`, and where it is none."""
    path = find_config(name, progress=progress)
    tree = find_source(path.parent) if path.name == ".config" else None
    return Source(name, path, parse_config(read_config_text(path)), tree)


def diff_configs(before: Source, after: Source) -> Difference:
    """What differs between two configurations; off and not there are one."""
    changes = compare(before.values, after.values)
    off = (None, "n")
    return Difference(
        before,
        after,
        tuple(one for one in changes if one.after in off),
        tuple(one for one in changes if one.before in off),
        tuple(one for one in changes if one.before not in off and one.after not in off),
    )
