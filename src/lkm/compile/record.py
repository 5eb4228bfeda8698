# SPDX-License-Identifier: MIT
"""What is kept in a build directory of how it was built: `.lkm-build.json`.

Written when a build begins (`seconds` null) and again when it ends, so that one that broke off can be told.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lkm.kernel.own import LOG_NAME

SCHEMA = 1
FILE_NAME = ".lkm-build.json"
# Targets of make that make a kernel.
WHOLE = frozenset({"all", "vmlinux", "modules", "bzImage", "zImage", "Image", "Image.gz", "uImage"})


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """How a build directory came about.

    `name`: as an own kernel, or "".  `version`: of the sources, `6.12.9`; `release`: as `uname -r`, "" until
    it is known.  `source`: the sources' own record (`release.Record`) as a dictionary, or None.  `compiler`:
    its first line of --version.  `variables`: make's words, those that make it reproducible too.  `targets`:
    of make.  `started`: ISO 8601, UTC.  `seconds`: wall time, None where it did not end by itself.  `status`:
    make's, None likewise.  `slowest`: (object, seconds).  `sizes`: bytes by path relative to the build
    directory, `sha256` of the image and the symbol map.  `on_disk`: bytes of the whole directory.  `config`:
    the lines of the .config that set something or say that it is not set.
    """

    name: str
    version: str
    release: str
    arch: str
    tree: str
    build: str
    source: dict[str, Any] | None
    config_sha256: str
    compiler: str
    variables: dict[str, str]
    targets: list[str]
    jobs: int
    started: str
    seconds: float | None = None
    status: int | None = None
    steps: int = 0
    warnings: int = 0
    errors: int = 0
    modules: int = 0
    slowest: list[tuple[str, float]] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    on_disk: int = 0
    config: str = ""

    @property
    def broke_off(self) -> bool:
        """Whether the build neither came to its end nor failed: it was killed, or it runs now."""
        return self.seconds is None

    @property
    def is_whole(self) -> bool:
        """Whether a kernel was to be built, and not only a part of one or what comes before."""
        return not self.targets or any(name in WHOLE or name.endswith("-pkg") for name in self.targets)

    @property
    def is_all(self) -> bool:
        """Whether all of a kernel was to be built: `modules` alone leaves the image as it was."""
        return not self.targets or any(name == "all" or name.endswith("-pkg") for name in self.targets)

    @property
    def ok(self) -> bool:
        """Whether all that was to be built was built."""
        return self.status == 0


def record_path(build: Path) -> Path:
    """Where the record of a build directory is."""
    return build / FILE_NAME


def log_path(build: Path) -> Path:
    """Where what make said in the last build is."""
    return build / LOG_NAME


def read_build_record(build: Path) -> BuildRecord | None:
    """The record of a build directory, None where there is none that can be read."""
    return read_record_file(record_path(build))


def read_record_file(path: Path) -> BuildRecord | None:
    """A record by its file's name, wherever that was copied to; None where it is none."""
    try:
        data = json.loads(path.read_bytes())
        if data.pop("schema") != SCHEMA:
            return None
        known = {name: data[name] for name in BuildRecord.__dataclass_fields__ if name in data}
        known["slowest"] = [(str(name), float(seconds)) for name, seconds in known.get("slowest", [])]
        return BuildRecord(**known)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_build_record(build: Path, record: BuildRecord) -> None:
    """Writes the record of a build directory, there whole or not at all."""
    path = record_path(build)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    text = json.dumps({"schema": SCHEMA, **asdict(record)}, indent=1, ensure_ascii=False)
    part.write_text(f"{text}\n", encoding="utf-8")
    part.replace(path)


def read_config_lines(build: Path) -> str:
    """A build directory's configuration without remarks and headings; "" where there is none."""
    try:
        text = (build / ".config").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line for line in text.splitlines() if line.startswith("CONFIG_") or line.endswith(" is not set")]
    return "".join(f"{line}\n" for line in lines)


def digest_config(build: Path) -> str:
    """SHA-256 of what a build directory's configuration sets; "" where there is none."""
    text = read_config_lines(build)
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def digest_file(path: Path) -> str:
    """SHA-256 of a file; "" where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
