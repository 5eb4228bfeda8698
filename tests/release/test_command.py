# SPDX-License-Identifier: MIT
"""`lkm kernel get | verify` as a person uses it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from release_server import Server


@pytest.fixture
def trust(people: Any, keyring: Path) -> list[str]:
    """The options that make the keys of these tests the pinned ones."""
    words = ["--keyring", str(keyring)]
    for key in (people.linus, people.greg):
        words += ["--signer", key.fingerprint]
    return words


@pytest.fixture
def get(command: Command, org: Any, people: Any, trust: list[str]) -> Command:
    def run(*words: str, status: int = 0) -> tuple[str, str]:
        sums = ["--sums-signer", people.sums.fingerprint]
        return command("get", "--mirror", str(org.root), *trust, *sums, *words, status=status)

    return run


def test_get(get: Command, tmp_path: Path) -> None:
    out, err = get("6.12", "--dest", str(tmp_path))
    assert out == f"{tmp_path}/linux-6.12.9\n"
    assert "good: linux-6.12.9.tar.xz was signed by Greg <greg@example.org> on 20" in err
    out, err = get("6.12", "--dest", str(tmp_path))
    assert out == f"{tmp_path}/linux-6.12.9\n" and "already here" in err
    data = json.loads(get("stable", "--dest", str(tmp_path), "--json")[0])
    assert data["schema"] == 1 and data["version"] == "6.12.9" and data["was_here"] is True
    assert data["tree"] == f"{tmp_path}/linux-6.12.9" and data["record"]["verified"] is True
    out, _ = get("6.12", "--no-unpack")
    assert out.endswith("/pub/linux/kernel/v6.x/linux-6.12.9.tar.xz\n")


def test_each_step_says_what_it_does(get: Command, org: Any, server: Server) -> None:
    org.serve(server)
    _, err = get("6.12.9", "-v", "--mirror", server.url)
    assert f"+ GET {server.url}/pub/linux/kernel/v6.x/linux-6.12.9.tar.xz" in err
    assert "gpgv --homedir" in err and "--status-fd 1" in err
    assert "fetching linux-6.12.9.tar.xz" in err and "unpacking linux-6.12.9.tar.xz" in err


def test_dry_run(get: Command, command: Command, tmp_path: Path, home: Path) -> None:
    out, _ = get("6.12", "--dry-run", "--dest", str(tmp_path / "d"))
    assert out.splitlines() == [
        "linux 6.12.9",
        f"  from  {tmp_path}/org/pub/linux/kernel/v6.x/linux-6.12.9.tar.xz",
        f"  to    {tmp_path}/d/linux-6.12.9",
    ]
    assert not (tmp_path / "d").exists() and not (tmp_path / "cache").exists()
    assert "kernel.org/pub/scm" in command("get", "git:v6.12", "--dry-run")[0]
    out, err = command("get", "debian:6.12", "--dry-run")
    assert out == "the package linux-source-6.12, by apt\n" and "not asked" in err
    out, _ = command("get", "6.12.9", "--dry-run")
    assert "  from  https://cdn.kernel.org/pub/linux/kernel/v6.x/linux-6.12.9.tar.xz" in out
    out, _ = command("get", "6.13-rc5", "--dry-run")
    assert "  from  https://git.kernel.org/torvalds/t/linux-6.13-rc5.tar.gz" in out


def test_the_mirror_of_the_settings(
    command: Command, org: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("lkm.toml").write_text(f'kernel-mirror = "{org.root}"\n')
    assert str(org.root) in command("get", "6.12", "--dry-run")[0]
    monkeypatch.setenv("LKM_KERNEL_MIRROR", "https://example.org/mirror")
    assert "https://example.org/mirror/pub" in command("get", "6.12.9", "--dry-run")[0]
    assert str(org.root) in command("get", "6.12.9", "--dry-run", "--mirror", str(org.root))[0]


def test_unverified_is_marked(
    get: Command, command: Command, org: Any, tmp_path: Path, trust: list[str]
) -> None:
    (org.place / "linux-6.12.9.tar.sign").unlink()
    out, err = get("6.12.9", "--dest", str(tmp_path), status=1)
    assert out == "" and "nothing was unpacked" in err and "--unverified, and it is marked so" in err
    out, err = get("6.12.9", "--dest", str(tmp_path), "--unverified")
    assert "unverified: there is no signature beside linux-6.12.9.tar.xz" in err
    tree = str(tmp_path / "linux-6.12.9")
    out, err = command("verify", tree, status=1)
    assert out.startswith("not good: linux-6.12.9 is as it was unpacked, but was never verified")


def test_verify_a_file(command: Command, org: Any, people: Any, trust: list[str]) -> None:
    path = str(org.place / "linux-6.12.9.tar.xz")
    out, err = command("verify", path, *trust)
    assert out.startswith("good: linux-6.12.9.tar.xz was signed by Greg <greg@example.org> on 20")
    assert "  a subkey of " in out and "  hash         SHA" in out and err.startswith("verifying ")
    data = json.loads(command("verify", path, *trust, "--json")[0])
    assert data["schema"] == 1 and data["ok"] is True and data["state"] == "good"
    assert data["signature"]["primary"] == people.greg.fingerprint and data["signature"]["made"].startswith(
        "20"
    )
    # without these options it is nobody's who is pinned
    out, err = command("verify", path, "--offline", status=1)
    assert out.startswith("unknown-key: ") and "Linus Torvalds, Greg Kroah-Hartman, " in out
    assert "hint: gpg --locate-keys torvalds@kernel.org gregkh@kernel.org" in err
    other = org.place / "linux-6.12.8.tar.sign"
    out, _ = command("verify", path, *trust, "--signature", str(other), status=1)
    assert out.startswith("tampered: ")


def test_verify_a_tree(command: Command, get: Command, tmp_path: Path, trust: list[str]) -> None:
    get("6.12.9", "--dest", str(tmp_path))
    tree = tmp_path / "linux-6.12.9"
    assert command("verify", str(tree))[0].startswith("good: linux-6.12.9 is as it was unpacked: ")
    (tree / "new.o").touch()
    out, _ = command("verify", str(tree), "--deep", *trust)
    assert "  added    new.o (1 in all; that alone is no fault)" in out
    for name in ("README", "Makefile"):
        (tree / name).write_text("evil")
    out, err = command("verify", str(tree), status=1)
    assert out.splitlines()[:3] == [
        "not good: linux-6.12.9 is not as it was unpacked: 2 files differ",
        "  changed  Makefile",
        "  changed  README",
    ]
    assert f"hint: rm -r {tree}, and get it again" in err
    data = json.loads(command("verify", str(tree), "--json", status=1)[0])
    assert data["ok"] is False and data["differences"]["changed"] == ["Makefile", "README"]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("get", "six"), 2, "'six' is no release of Linux"),
        (("get", "6.12", "--mirror", "/nowhere"), 2, "no such directory"),
        (("get", "6.12", "--reference", "."), 2, "is for git:REF only"),
        (("get", "git:v6.12", "--mirror", "x"), 2, "is not for git:REF"),
        (("get", "debian:6.12", "--mirror", "x"), 2, "is not for Debian's sources"),
        (("get", "debian:6.12.9"), 2, "Debian has one package of sources for a series"),
        (("get", "6.12", "--signer", "6092693E"), 2, "no fingerprint"),
        (("get",), 2, "missing argument"),
        (("verify",), 2, "missing argument"),
        (("verify", "nothing.tar.xz"), 2, "there is no such file"),
        (("verify", ".", "--deep"), 2, "the file that"),
        (("get", "debian:99", "--dry-run"), 2, "'99' is no series"),
        (("verify", "."), 2, "is no tree of kernel sources"),
        (("verify", "x.tar"), 2, "x.tar is no tarball"),
        (("verify", ".", "--tarball", "x.tar"), 2, "x.tar is no tarball"),
        (("verify", "x.tar", "--deep"), 2, "are for a tree"),
    ],
)
def test_wrong_use(words: tuple[str, ...], status: int, message: str, command: Command, home: Path) -> None:
    Path("x.tar").touch()
    out, err = command(*words, status=status)
    assert out == "" and message in err and "hint: " in err


def test_sources_of_nobody_knows_where(command: Command, home: Path, tmp_path: Path) -> None:
    for name in ("Kconfig", "Makefile", "scripts/kconfig/conf.c", "arch/x86/Kconfig"):
        file = tmp_path / "mine" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    out, err = command("verify", str(tmp_path / "mine"), status=2)
    assert out == "" and f"nothing says where {tmp_path / 'mine'} came from" in err and "--tarball" in err


def test_a_fetch_that_is_interrupted_goes_on(org: Any, people: Any, server: Server, trust: list[str]) -> None:
    """Ctrl-C in the middle: status 130, and the next call asks for the rest only."""
    org.serve(server)
    path = "/pub/linux/kernel/v6.x/linux-6.12.9.tar.xz"
    server.files[path].breaks = [300]
    code = (
        "import os, signal, sys\nfrom lkm.release import http\n"
        "http.FIRST_PAUSE = 0\nreal = http._pieces\n"
        "def pieces(response, limit):\n"
        "    if response.headers['Content-Length'] == sys.argv[1]:\n"
        "        yield next(iter(real(response, 300)))\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    yield from real(response, limit)\n"
        "http._pieces = pieces\n"
        "from lkm.cli import run_command\nsys.exit(run_command(['kernel', 'get', *sys.argv[2:]]))\n"
    )
    words = ["6.12.9", "--mirror", server.url, *trust, "--sums-signer", people.sums.fingerprint]
    argv = [sys.executable, "-c", code, str(len(server.files[path].data)), *words]
    ended = subprocess.run(argv, capture_output=True, text=True)
    assert ended.returncode == 130 and "Traceback" not in ended.stderr, ended.stderr
    server.seen.clear()
    ended = subprocess.run(
        [sys.executable, "-m", "lkm", "kernel", "get", *words], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert (path, "bytes=300-") in [(seen[0], seen[1]) for seen in server.seen]


def test_on_a_terminal_there_is_a_bar(org: Any, people: Any, server: Server, trust: list[str]) -> None:
    org.serve(server)
    words = ["6.12.9", "--mirror", server.url, *trust, "--sums-signer", people.sums.fingerprint]
    leader, follower = pty.openpty()
    argv = [sys.executable, "-m", "lkm", "kernel", "get", *words]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(argv, stderr=follower, stdout=subprocess.PIPE, env=env) as child:
        os.close(follower)
        said = b""
        while True:
            try:
                data = os.read(leader, 65536)
            except OSError:
                break
            if not data:
                break
            said += data
        assert child.stdout is not None and child.stdout.read().endswith(b"linux-6.12.9\n")
    os.close(leader)
    assert b"good: linux-6.12.9.tar.xz was signed by Greg" in said and b"Traceback" not in said


KILLED = (
    "import os, signal, sys\nfrom lkm.release import unpack\nreal = unpack._write\ncount = 0\n"
    "def write(*words):\n"
    "    global count\n    count += 1\n"
    "    if count == 3:\n        os.kill(os.getpid(), signal.SIGKILL)\n"
    "    return real(*words)\n"
    "unpack._write = write\n"
    "from lkm.cli import run_command\nsys.exit(run_command(['kernel', 'get', *sys.argv[1:]]))\n"
)


def test_killed_while_it_unpacks(org: Any, people: Any, trust: list[str], tmp_path: Path) -> None:
    """The tree is there whole or not at all, and the next call is not in the way of what was left."""
    words = ["6.12.9", "--mirror", str(org.root), *trust, "--sums-signer", people.sums.fingerprint]
    words += ["--dest", str(tmp_path / "dest")]
    ended = subprocess.run([sys.executable, "-c", KILLED, *words], capture_output=True, text=True)
    assert ended.returncode == -9
    left = [path.name for path in (tmp_path / "dest").iterdir()]
    assert len(left) == 1 and left[0].startswith(".new-linux-6.12.9.")
    ended = subprocess.run(
        [sys.executable, "-m", "lkm", "kernel", "get", *words], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in (tmp_path / "dest").iterdir()) == [
        "linux-6.12.9",
        "linux-6.12.9.json",
        "linux-6.12.9.manifest.gz",
    ]


def test_two_at_once_make_it_once(org: Any, people: Any, trust: list[str], server: Server) -> None:
    org.serve(server)
    words = ["6.12.9", "--mirror", server.url, *trust, "--sums-signer", people.sums.fingerprint]
    argv = [sys.executable, "-m", "lkm", "kernel", "get", *words]
    both = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [child.communicate(timeout=120) for child in both]
    assert [child.returncode for child in both] == [0, 0], said
    assert said[0][0] == said[1][0] and sum("already here" in err for _, err in said) == 1
    fetched = [path for path, *_ in server.seen if path.endswith("linux-6.12.9.tar.xz")]
    assert len(fetched) == 1
