# SPDX-License-Identifier: MIT
"""Settings: `lkm.toml` beside the module or above it, then the user's own, then built-in defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from lkm import paths
from lkm.errors import UsageError

FILE_NAME = "lkm.toml"


@dataclass(frozen=True, slots=True)
class Config:
    """What `lkm.toml` may say; every field has a default.

    `kernel`: name of the default kernel, or "".  `mirror`: base address of the distribution's package
    archive, or "" for the one this machine's package manager uses.  `timeout`: seconds a run may take.
    `kernel_mirror` (written `kernel-mirror`): where kernel sources come from, as `lkm kernel get --mirror`.
    `memory`: MiB of the guest, 64 and up.  `cpus`: 1 to 64.  `cmdline`: words for the kernel command line.
    """

    kernel: str = ""
    mirror: str = ""
    kernel_mirror: str = ""
    timeout: float = 30.0
    memory: int = 256
    cpus: int = 1
    cmdline: str = ""


def find_config(start: Path) -> Path | None:
    """The nearest `lkm.toml` in `start` or a directory above it, or None."""
    for directory in (start, *start.parents):
        candidate = directory / FILE_NAME
        if candidate.is_file():
            return candidate
    return None


def read_config(start: Path | None = None) -> Config:
    """Settings that hold in the directory `start` (default: the current one).

    Raises `UsageError` naming the file and key where one cannot be read, is unknown or has the wrong type.
    """
    values: dict[str, object] = {}
    project = find_config((start or Path.cwd()).resolve())
    for path in (paths.config_file(), project):
        if path is not None and path.is_file():
            values |= _read(path)
    return Config(**values)  # type: ignore[arg-type]  # each value's type was checked in _read


def _read(path: Path) -> dict[str, object]:
    import tomllib  # only where there is a file to read

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"{path}: {error}", hint="mend the file; `lkm run --help` names the settings"
        ) from error
    kinds = {field.name.replace("_", "-"): type(getattr(Config(), field.name)) for field in fields(Config)}
    for key, value in data.items():
        kind = kinds.get(key)
        if kind is None:
            raise UsageError(f"{path}: unknown setting '{key}'", hint=f"known: {', '.join(sorted(kinds))}")
        if kind is float and type(value) is int:
            data[key] = float(value)
        elif type(value) is not kind:
            raise UsageError(f"{path}: '{key}' is {value!r}, it must be a {kind.__name__}")
    return {key.replace("-", "_"): value for key, value in data.items()}
