# SPDX-License-Identifier: MIT
"""The agent and the launcher, compiled once per source and kept in the cache."""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path

from lkm import process
from lkm.errors import MissingError
from lkm.paths import cache_dir, locked, new_directory

_SOURCES = Path(__file__).parent
_AGENT, _LAUNCHER = "agent", "launch"
_COMPILERS = ("gcc", "cc", "clang")
_KEPT = 4  # of the newest; another version of lkm that shares the cache may be running with an older one
# Freestanding, so no C library is needed; no vector registers, so the guest saves and restores none.
_FLAGS = (
    "-static -nostdlib -ffreestanding -fno-builtin -O2 -Wall -fno-pie -no-pie -mgeneral-regs-only "
    "-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -Wl,--build-id=none -s"
)


@lru_cache(maxsize=1)
def agent_key() -> str:
    """Hash of all that the agent is made of."""
    parts = [_FLAGS.encode()]
    for path in sorted(_SOURCES.glob("*.[ch]")):
        parts += [path.name.encode(), path.read_bytes()]
    return fingerprint(b"\0".join(parts))


def fingerprint(data: bytes) -> str:
    """A name for these bytes.

    No cryptographic hash: importing one costs more than all that it would be used for here, and nobody
    gains by a collision.
    """
    return f"{len(data):x}-{zlib.crc32(data):08x}{zlib.adler32(data):08x}"


def build_launcher() -> Path:
    """The program that starts QEMU so that it ends with us; see `build_agent`."""
    return build_agent().with_name(_LAUNCHER)


def build_agent() -> Path:
    """The agent's program (static ELF), compiled where the cache does not have it.

    Raises `MissingError` where there is no C compiler.
    """
    directory = cache_dir() / "agent" / agent_key()
    program, launcher = directory / _AGENT, directory / _LAUNCHER
    if program.exists() and launcher.exists():
        return program
    with locked(cache_dir() / "agent" / ".lock"):
        if program.exists() and launcher.exists():
            return program
        compiler = next(filter(None, map(process.find_program, _COMPILERS)), None)
        if compiler is None:
            raise MissingError("no C compiler for the guest's agent (gcc, cc, clang)", hint="lkm doctor")
        with new_directory(directory) as part:
            launch = _SOURCES / "launch.c"
            agent = [path for path in sorted(_SOURCES.glob("*.c")) if path != launch]
            for name, sources in ((_AGENT, agent), (_LAUNCHER, [launch])):
                argv: list[str | Path] = [compiler, *_FLAGS.split(), "-o", part / name, *sources]
                process.run(argv, timeout=120).check("compiling the guest's agent")
        _remove_old(directory.parent)
    return program


def _remove_old(directory: Path) -> None:
    """Keeps the newest few of what was compiled."""
    import shutil

    built = [path for path in directory.iterdir() if path.is_dir() and not path.name.startswith(".new-")]
    for old in sorted(built, key=lambda path: path.stat().st_mtime_ns, reverse=True)[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
