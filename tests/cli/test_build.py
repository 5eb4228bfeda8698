# SPDX-License-Identifier: MIT
"""`lkm build` and `lkm new` as a person types them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lkm.kernel import find_kernel

pytestmark = pytest.mark.fetch


def lkm(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "lkm", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.fixture(autouse=True)
def _kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_KERNEL", find_kernel("debian:6.1").name)


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    assert lkm("new", "hello", cwd=tmp_path).stdout == "hello\n"
    return tmp_path / "hello"


def test_results_on_stdout_all_else_on_stderr(hello: Path) -> None:
    result = lkm("build", cwd=hello)
    assert result.returncode == 0, result.stderr
    (module,) = result.stdout.splitlines()
    assert Path(module).name == "hello.ko"
    assert Path(module).is_file()
    assert "built for 6.1." in result.stderr
    assert "\x1b" not in result.stdout + result.stderr
    assert lkm("build", hello, cwd=hello.parent).stdout == result.stdout
    assert lkm("build", "-C", "hello", cwd=hello.parent).stdout == result.stdout


def test_json(hello: Path) -> None:
    answer = json.loads(lkm("build", "--json", "W=1", "-j", "1", cwd=hello).stdout)
    assert (answer["schema"], answer["ok"], answer["how"]) == (1, True, "kbuild")
    assert answer["kernel"]["release"].startswith("6.1.")
    assert set(answer) == {
        "schema", "ok", "source", "kernel", "modules", "diagnostics", "output", "how", "seconds", "log",
    }  # fmt: skip


def test_a_mistake_is_shown_at_its_line(hello: Path) -> None:
    (hello / "hello.c").write_text((hello / "hello.c").read_text().replace("return 0;", "return nothing;"))
    result = lkm("build", cwd=hello)
    assert result.returncode == 1
    assert result.stdout == ""
    assert "hello.c:21:16: error: 'nothing' undeclared" in result.stderr
    assert "   21 |         return nothing;" in result.stderr
    assert "not built for 6.1." in result.stderr
    answer = json.loads(lkm("build", "--json", cwd=hello).stdout)
    first = answer["diagnostics"][0]
    assert (first["path"], first["line"], first["severity"]) == (str(hello / "hello.c"), 21, "error")


def test_switches(hello: Path) -> None:
    assert lkm("build", "--compile-commands", cwd=hello).returncode == 0
    assert (hello / "compile_commands.json").is_file()
    assert "(nothing)" in lkm("build", cwd=hello).stderr
    assert "(kbuild)" in lkm("build", "--clean", cwd=hello).stderr
    assert not (hello / "hello.ko").exists()
    assert lkm("build", "--in-place", cwd=hello).stdout == f"{hello}/hello.ko\n"
    verbose = lkm("build", "--clean", "-v", cwd=hello).stderr
    assert "make --no-print-directory -C" in verbose


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["build", "nowhere"], 2, "nowhere"),
        (["build", "."], 1, "looked for Kbuild and Makefile"),
        (["build", "a", "b"], 2, "one module source at a time"),
        (["build", "hello", "M=/x"], 2, "for lkm to set"),
        (["build", "-j", "0"], 2, "invalid value"),
        (["new", "a-b"], 2, "dash"),
        (["new"], 2, "missing argument"),
        (["new", "hello"], 2, "there already"),
    ],
)
def test_wrong_use(words: list[str], status: int, message: str, hello: Path) -> None:
    result = lkm(*words, cwd=hello.parent)
    assert result.returncode == status, result.stderr
    assert result.stderr.startswith("error: ")
    assert message in result.stderr.lower() or message in result.stderr
    assert "hint: " in result.stderr
    assert result.stdout == ""


def test_new_in_json(tmp_path: Path) -> None:
    answer = json.loads(lkm("new", "thing", "-C", tmp_path, "--json", cwd=Path("/")).stdout)
    assert answer["directory"] == str(tmp_path / "thing")
    assert str(tmp_path / "thing/thing.c") in answer["files"]


def test_ctrl_c(hello: Path) -> None:
    (hello / "Makefile").write_text(
        "obj-m := hello.o\n$(obj)/hello.o: $(obj)/slow\n$(obj)/slow:\n\tsleep 77.7\n"
    )
    argv = [sys.executable, "-m", "lkm", "build"]
    with subprocess.Popen(argv, cwd=hello, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not sleeping() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert sleeping()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr is not None
        assert process.stderr.read().strip().endswith("interrupted")
    assert not sleeping()


def sleeping() -> bool:
    """Whether the rule that takes long is being carried out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes())
    return b"sleep\x0077.7\x00" in found


def test_no_disk_left(hello: Path, tmp_path: Path) -> None:
    cache = tmp_path / "small"
    cache.mkdir()
    script = 'mount --make-rprivate / 2>/dev/null; mount -t tmpfs -o size="$0" none "$1" && '
    script += 'export LKM_CACHE="$1" && shift && exec "$@"'
    kernel = find_kernel("debian:6.1")
    for size in ("4k", "64k", "200k", "400k"):
        lkm = [sys.executable, "-m", "lkm", "build", "--kernel", str(kernel.build)]
        unshare = ["unshare", "--mount", "--propagation", "unchanged"]  # in a chroot it cannot be changed
        unshare += [] if os.geteuid() == 0 else ["--map-root-user"]
        argv = [*unshare, "sh", "-c", script, size, str(cache)]
        result = subprocess.run([*argv, *lkm], cwd=hello, capture_output=True, text=True, check=False)
        assert result.returncode == 3, result.stderr
        assert "No space left on device" in result.stderr
        assert "Traceback" not in result.stderr
