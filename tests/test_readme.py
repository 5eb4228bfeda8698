# SPDX-License-Identifier: MIT
"""What the README shows is what happens."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

import lkm
from lkm.kernel import Kernel

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def sessions() -> list[tuple[str, str]]:
    """(command, what it shows) of the first console block."""
    parts = re.split(r"^\$ ", blocks("console")[0], flags=re.MULTILINE)[1:]
    return [(command, shown) for command, _, shown in (part.partition("\n") for part in parts)]


def pattern(shown: str) -> str:
    """A regular expression for what is shown: any number for a number, any release, `...` for any lines."""
    parts = []
    for line in shown.splitlines():
        if line == "...":
            parts.append(r"(?:.*\n)*?")
            continue
        text = re.sub(r"\d\.\d+\.\d+-\d+-cloud-amd64", "RELEASE", line)
        text = re.sub(r"(?<!\w)\d+\.\d+ s|(?<!\w)\d+ ms", "TIME", text)
        text = re.sub(r"^\[ *\d+\.\d+\]", "STAMP", text)
        text = re.escape(text)
        for word, expression in (
            ("RELEASE", r"\S+"),
            ("TIME", r"[\d.]+ m?s"),
            ("STAMP", r"\[ *\d+\.\d+\]"),
        ):
            text = text.replace(word, expression)
        parts.append(text + "\n")
    return "".join(parts)


@pytest.mark.guest
@pytest.mark.parametrize(("command", "shown"), sessions(), ids=lambda text: text.splitlines()[0][:40])
def test_the_first_screen(command: str, shown: str, kernel: Kernel) -> None:
    subprocess.run(["./lkm", "--version"], cwd=ROOT, check=True, capture_output=True)  # set up
    with lkm.Guest(kernel):
        pass  # the README shows the second time
    environment = {**os.environ, "LKM_KERNEL": kernel.name}
    done = subprocess.run(
        shlex.split(command), cwd=ROOT, env=environment, capture_output=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert re.fullmatch(pattern(shown), done.stdout), done.stdout


def test_the_first_screen_is_found() -> None:
    assert len(sessions()) == 3
    assert README.index("```console") < 800


@pytest.mark.guest
@pytest.mark.fetch
def test_the_library_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (program,) = blocks("python")
    exec(compile(program, "README.md", "exec"), {})


def test_every_file_that_is_named_is_there() -> None:
    for name in re.findall(r"`((?:docs|bench)/[\w./]*|[A-Z]+\.md)`", README):
        assert (ROOT / name).exists(), name
