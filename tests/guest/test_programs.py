# SPDX-License-Identifier: MIT
"""Libraries, against ldd(1)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lkm.errors import BadInputError, UsageError
from lkm.guest.programs import find_libraries


@pytest.mark.parametrize("name", ["ls", "perl", "gcc", "qemu-system-x86_64", "bash"])
def test_the_libraries_that_ldd_names(name: str) -> None:
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is missing")
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    named = {Path(found).resolve() for found in re.findall(r"(/\S+) \(0x", said)}
    ours = {item.path.resolve() for item in find_libraries(Path(program))} - {Path("/etc/ld.so.cache")}
    assert ours == named


def test_a_static_program_and_a_script_need_nothing(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho\n")
    assert find_libraries(script) == []
    busybox = shutil.which("busybox")
    if busybox and "static" in subprocess.run(["ldd", busybox], capture_output=True, text=True).stdout:
        assert find_libraries(Path(busybox)) == []


def test_a_damaged_program(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(Path("/bin/ls").read_bytes()[:700])
    try:
        find_libraries(broken)
    except BadInputError as error:
        assert "broken" in error.message


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        find_libraries(tmp_path / "none")
