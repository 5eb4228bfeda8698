# SPDX-License-Identifier: MIT
"""The same job done with virtme-ng, where it is installed: boot, load, unload, show the log."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lkm.kernel import Kernel

MODULES = Path("/lib/modules")  # where virtme-ng looks for a kernel's modules, and nowhere else


@contextlib.contextmanager
def installed_modules(kernel: Kernel) -> Iterator[None]:
    """The kernel's modules, with their dependency files, where virtme-ng finds them, for the block."""
    place = MODULES / kernel.release
    if place.exists():
        yield
        return
    assert kernel.modules is not None
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        copy = root / "lib/modules" / kernel.release
        shutil.copytree(kernel.modules, copy, symlinks=True)
        subprocess.run(["depmod", "-b", root, kernel.release], check=True)
        MODULES.mkdir(parents=True, exist_ok=True)
        place.symlink_to(copy)
        try:
            yield
        finally:
            place.unlink()


def find_virtme() -> str | None:
    """The program `vng`, or None."""
    return shutil.which(os.environ.get("VNG", "vng"))


def run_virtme(program: str, kernel: Kernel, module: Path) -> None:
    """One whole run; raises where the module's message is not in what it prints."""
    script = f"insmod {shlex.quote(str(module))} month=December day=31; rmmod hello; dmesg"
    argv = [
        program, "--disable-kvm", "--force-9p", "--memory", "256M", "--cpus", "1", "--verbose",
        "--run", str(kernel.image), "--exec", script,
    ]  # fmt: skip
    search = f"{Path(program).parent}:{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PATH": search}, check=False,
    )  # fmt: skip
    if b"We are on 31 December" not in done.stdout:
        raise RuntimeError(
            f"virtme-ng did not run the module:\n{done.stdout[-2000:].decode('utf-8', 'replace')}"
        )
