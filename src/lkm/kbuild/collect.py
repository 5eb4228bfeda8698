# SPDX-License-Identifier: MIT
"""What is to be remembered of a build that Kbuild has finished."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lkm import process
from lkm.kbuild.commands import parse_mod_file, read_cmd_file, read_command
from lkm.kbuild.job import Job
from lkm.kbuild.kbuildfile import find_doubt, find_includes
from lkm.kbuild.make import parse_environment
from lkm.kbuild.mirror import find_generated
from lkm.kbuild.plan import read_exports
from lkm.kbuild.record import UNSEEN_INPUT
from lkm.kbuild.source import find_kbuild_file

# What shapes a module and is in no list of dependencies, below the kernel's build directory.
_KERNEL_FILES = (
    ".config",
    ".kernelvariables",
    "Makefile",
    "Module.symvers",
    "vmlinux",
    "include/config/auto.conf",
    "include/generated/autoconf.h",
    "scripts/mod/modpost",
    "scripts/module.lds",
    "tools/objtool/objtool",
)


_ASSEMBLER_READS = re.compile(rb"\.incbin\b|\"[^\"\n]*\.include\b")
_TOOLS = ("CC", "LD", "NM", "OBJCOPY", "PAHOLE")


@dataclass(frozen=True, slots=True)
class Found:
    """What Kbuild's directory tells: see `Record` for each."""

    objects: Mapping[str, tuple[str, ...]]
    units: Mapping[str, tuple[str, ...]]
    outside: frozenset[str]
    identity: frozenset[str]
    exports: Mapping[str, tuple[str, ...]]
    doubt: str


def collect(job: Job, modules: Iterable[Path], files: Iterable[str]) -> Found:
    """Reads what Kbuild left for `modules`, given that `files` were copied from the source."""
    work, known = job.mirror.work, set(files)
    units, objects, identity, doubts = {}, {}, set(identity_paths(job)), []
    for module in modules:
        stem = os.path.relpath(module, work).removesuffix(".ko")
        units[stem] = tuple(_read_objects(work, stem))
        for name in units[stem]:
            saved = read_cmd_file(work / name)
            if saved is None:
                if os.path.normpath(f"{job.mirror.within}/{name}") not in known:
                    doubts.append(f"{name} was made by a rule of its own")
                continue
            keys = [(path, job.key(path, is_relative=saved.is_relative)) for path in saved.dependencies]
            objects[name] = tuple(dict.fromkeys(key for _, key in keys if key is not None))
            identity |= {path for path, key in keys if key is None and path.startswith("/")}
    outside = {key for keys in objects.values() for key in keys if key.startswith("/")}
    used, doubt = _kbuild_files(job, objects)
    generated = find_generated(job.mirror, known)
    if generated:
        doubts.append(f"{generated} was made by a rule of its own")
    doubts += [doubt] if doubt else []
    if _has_unseen_input(job, known):
        doubts.insert(0, UNSEEN_INPUT)
    outside |= used | _symbol_tables(job)
    exports = {name: read_exports(work / name) for name in objects}
    return Found(
        objects,
        units,
        frozenset(outside),
        frozenset(identity),
        {name: markers for name, markers in exports.items() if markers},
        doubts[0] if doubts else "",
    )


def identity_paths(job: Job) -> list[str]:
    """The files that tell the kernel and its tools, but for its headers."""
    found = [str(job.directory / name) for name in _KERNEL_FILES]
    toolchain = job.kernel.toolchain
    if toolchain is not None and toolchain.root is not None:
        return [*found, str(toolchain.root)]
    names = [toolchain.compiler] if toolchain is not None else []
    try:
        environment = parse_environment(job.environment_path.read_bytes())
    except OSError:
        environment = {}
    names += [words[0] for name in _TOOLS if (words := environment.get(name, "").split())]
    programs = [process.find_program(name) for name in dict.fromkeys(names)]
    return [*found, *(os.path.realpath(program) for program in programs if program is not None)]


def _read_objects(work: Path, stem: str) -> list[str]:
    """The objects of a module, below the work directory."""
    try:
        paths = parse_mod_file((work / f"{stem}.mod").read_text())
    except OSError:
        return [f"{stem}.o"]
    return [os.path.relpath(work / path, work) for path in paths]


def _kbuild_files(job: Job, objects: Iterable[str]) -> tuple[set[str], str]:
    """Files that the Kbuild files of a source include from outside of it; and a doubt, or ""."""
    directories = {""}
    for name in objects:
        parent = os.path.dirname(name)  # noqa: PTH120 - a relative name, not a file
        while parent and parent not in directories:
            directories.add(parent)
            parent = os.path.dirname(parent)  # noqa: PTH120
    outside: set[str] = set()
    for directory in sorted(directories):
        place = Path(os.path.normpath(job.mirror.work / directory))
        kbuild = find_kbuild_file(place)
        values = {name: str(place) for name in ("src", "obj")} | {
            name: str(job.mirror.work) for name in ("M", "PWD", "KBUILD_EXTMOD")
        }
        pending, seen = [kbuild] if kbuild else [], set()
        while pending:
            path = pending.pop()
            if path in seen:
                continue
            seen.add(path)
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue  # an optional include that is not there; a file that comes is seen as a change
            includes = find_includes(text, values | dict(job.words))
            doubt = find_doubt(text) or ("an include that is not clear" if includes is None else "")
            if doubt:
                return outside, f"{path.name}: {doubt}"
            key = job.key(str(path), is_relative=True)
            if key is None or key.startswith("/"):
                outside.add(key or str(path))
            pending += includes or []
    return outside, ""


def _has_unseen_input(job: Job, files: Iterable[str]) -> bool:
    """Whether a source has the assembler read a file, which no compiler lists as a dependency."""
    sources = (name for name in files if name.endswith((".c", ".h", ".S", ".inc")))
    return any(_ASSEMBLER_READS.search(_read(job.mirror.root / name)) for name in sources)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _symbol_tables(job: Job) -> set[str]:
    """The tables of other modules' exports that modpost was given (KBUILD_EXTRA_SYMBOLS)."""
    saved = read_command(job.mirror.work / "Module.symvers")
    if saved is None:
        return set()
    base = job.mirror.work if saved.is_relative else job.directory
    tables = re.findall(r" -i (\S+)", saved.command)
    return {os.path.realpath(base / table) for table in tables}
