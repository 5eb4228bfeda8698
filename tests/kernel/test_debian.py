# SPDX-License-Identifier: MIT
"""Fetching, from an archive made here, with the real apt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lkm.process
from lkm.config import Config
from lkm.errors import BadInputError, MissingError, UsageError
from lkm.kernel import Origin, add_kernel, find_kernel, list_kernels, remove_kernel
from lkm.kernel.debian import SUITES, Debian

if os.uname().machine != "x86_64":
    pytest.skip("the archive made here is for x86_64", allow_module_level=True)

OLD, NEW, GONE = "6.1.0-50-cloud-amd64", "6.1.0-56-cloud-amd64", "6.1.0-57-cloud-amd64"
LATER, SPLIT = "6.12.117+deb13-cloud-amd64", "7.3.4+deb13-cloud-amd64"


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("debian:6.1", NEW),
        (f"debian:{OLD}", OLD),
        ("debian:trixie", LATER),
        ("debian:7.3", SPLIT),
    ],
)
def test_names(archive: Any, name: str, release: str) -> None:
    kernel = find_kernel(name)
    assert (kernel.release, kernel.name, kernel.origin) == (release, f"debian:{release}", Origin.DISTRIBUTION)
    assert kernel.arch == "x86_64" and kernel.can_build and kernel.can_boot
    for part in (kernel.image, kernel.config, kernel.modules, kernel.build):
        assert part is not None and part.exists()


def test_a_fetched_kernel_stands_by_itself_wherever_the_cache_goes(
    archive: Any, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_kernel("debian:6.1")
    cache.rename(tmp_path / "moved")
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "moved"))
    kernel = find_kernel("debian:6.1", fetch=False)
    assert kernel.build is not None and kernel.modules is not None
    said = subprocess.run(["make", "-s", "-C", kernel.build], capture_output=True, text=True, check=True)
    assert said.stdout == f"built for {kernel.build}\n"
    assert (kernel.modules / "build").resolve() == kernel.build
    variables = (kernel.build / ".kernelvariables").read_text()
    assert "CC = gcc-99\n" in variables and "dpkg" not in variables and f"= {NEW}\n" in variables


def test_what_nobody_needs_is_left_out(archive: Any, cache: Path) -> None:
    find_kernel("debian:6.1")
    names = {path.name for path in cache.glob("kernels/debian/*/**/*")}
    assert "modules.order" in names and "x86" in names
    assert not names & {"copyright", "arm", "packages"}
    assert not [name for name in names if name.endswith(".deb")]


def test_what_is_in_the_cache_is_found_without_starting_anything(
    archive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = find_kernel("debian:6.1")
    monkeypatch.setattr(lkm.process.subprocess, "Popen", None)
    for name in ("debian:6.1", "debian:6.1-cloud-amd64", f"debian:{NEW}", NEW, None, "debian:bookworm"):
        assert find_kernel(name) == first
    assert list_kernels() == [first]


def test_of_two_the_machines_own_release_comes_first(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.add_kernel("bookworm", "6.12.90+deb12-cloud-amd64", "6.12.90-1~deb12u1")
    archive.publish("bookworm")
    both = [find_kernel(f"debian:{release}") for release in ("6.12.90+deb12-cloud-amd64", LATER)]
    for codename, kernel in zip(("bookworm", "trixie"), both, strict=True):
        monkeypatch.setattr("lkm.kernel.find.read_codename", lambda default="", own=codename: own)
        assert find_kernel("debian:6.12") == kernel
    monkeypatch.setattr("lkm.kernel.find.read_codename", lambda default="": default)
    assert find_kernel("debian:6.12") == both[1]


def test_add_takes_the_newest_there_is_now(archive: Any) -> None:
    find_kernel("debian:6.1")
    archive.add_kernel("bookworm", "6.1.0-60-cloud-amd64", "6.1.200-1")
    archive.publish("bookworm")
    assert find_kernel("debian:6.1").release == NEW
    assert add_kernel("debian:6.1").release == "6.1.0-60-cloud-amd64"
    assert find_kernel("debian:6.1").release == "6.1.0-60-cloud-amd64"
    assert [kernel.release for kernel in list_kernels()] == [NEW, "6.1.0-60-cloud-amd64"]


def test_lists_that_are_older_than_the_archive_are_read_again(archive: Any) -> None:
    find_kernel(f"debian:{OLD}")  # the lists are read
    archive.remove("bookworm", f"linux-image-{NEW}")
    archive.add_kernel("bookworm", "6.1.0-60-cloud-amd64", "6.1.200-1")
    archive.publish("bookworm")
    assert find_kernel("debian:6.1.0-56-amd64").release == "6.1.0-56-amd64"
    remove_kernel(OLD)
    remove_kernel("6.1.0-56-amd64")
    assert find_kernel("debian:6.1").release == "6.1.0-60-cloud-amd64"


def test_without_headers_it_can_only_boot(archive: Any) -> None:
    with pytest.raises(MissingError, match="no headers for it any more") as caught:
        find_kernel(f"debian:{GONE}")
    assert caught.value.hint == "--kernel debian:6.1"
    kernel = find_kernel(f"debian:{GONE}", need_build=False)
    assert kernel.can_boot and not kernel.can_build
    with pytest.raises(MissingError, match="no headers"):
        find_kernel(GONE)
    # The default for a build is not one that cannot be built for.
    assert find_kernel(need_build=False) == kernel
    assert find_kernel().can_build


def test_an_archive_that_cannot_be_asked_hides_no_other(archive: Any) -> None:
    for path in (archive.root / "dists/trixie/main/binary-amd64").iterdir():
        path.unlink()
    assert find_kernel("debian:7.3").release == SPLIT  # of a suite after it
    with pytest.raises(UsageError, match=r"Debian has no kernel '6\.2'; trixie could not be asked: "):
        find_kernel("debian:6.2")


def test_unknown(archive: Any) -> None:
    with pytest.raises(UsageError, match=r"Debian has no kernel '6\.2'"):
        find_kernel("debian:6.2")
    with pytest.raises(UsageError) as caught:
        find_kernel("debian:6.1.0-65-cloud-amd64")
    assert "6.1.0-5" in caught.value.hint and "lkm kernel list" in caught.value.hint
    with pytest.raises(UsageError, match="no kernel"):
        find_kernel("debian:../../../etc")
    with pytest.raises(UsageError, match="cannot be fetched yet"):
        find_kernel("fedora:6.9")


def test_not_in_the_cache_and_not_to_be_fetched(archive: Any) -> None:
    with pytest.raises(MissingError, match="not in the cache") as caught:
        find_kernel("debian:6.1", fetch=False)
    assert caught.value.hint == "lkm kernel add debian:6.1"


def test_remove_frees(archive: Any, cache: Path) -> None:
    find_kernel("debian:6.1")
    find_kernel(f"debian:{OLD}")
    with pytest.raises(UsageError, match="means several"):
        remove_kernel("debian:6.1")
    size = next(kernel.size for kernel in list_kernels() if kernel.release == NEW)
    assert size > 2 << 20 and remove_kernel(NEW) >= size
    assert [kernel.release for kernel in list_kernels()] == [OLD]
    assert remove_kernel(f"debian:{OLD}") > 0
    with pytest.raises(UsageError, match="no kernel"):
        remove_kernel(OLD)
    assert not [path for path in (cache / "kernels/debian").iterdir() if path.is_dir()]


def test_a_package_that_was_changed_is_refused(archive: Any) -> None:
    deb = next(archive.pool.glob(f"linux-headers-{NEW}_*"))
    data = bytearray(deb.read_bytes())
    data[-600] ^= 1
    deb.write_bytes(data)
    with pytest.raises(MissingError, match=r"Hash Sum mismatch|Mismatch"):
        find_kernel("debian:6.1")
    assert list_kernels() == []


def test_lists_that_were_changed_are_refused(archive: Any) -> None:
    lists = archive.root / "dists/bookworm/InRelease"
    lists.write_text(lists.read_text().replace("Origin: Debian", "Origin: Nobody"))
    with pytest.raises(BadInputError, match="signature") as caught:
        find_kernel("debian:6.1")
    assert "debian-archive-keyring" in caught.value.hint


def test_a_key_that_is_not_known_is_refused(
    archive: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.gpg").write_bytes(b"")
    monkeypatch.setenv("LKM_KEYRING", str(tmp_path / "empty.gpg"))
    with pytest.raises(BadInputError, match="signature"):
        find_kernel("debian:6.1")


def test_no_keys(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_KEYRING", "/nonexistent")
    with pytest.raises(MissingError, match="keys") as caught:
        find_kernel("debian:6.1")
    assert caught.value.hint == "apt-get install debian-archive-keyring"


def test_offline(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_MIRROR", "http://127.0.0.1:9/debian")  # discard: nobody listens
    with pytest.raises(MissingError, match="cannot reach the package archive http://127") as caught:
        find_kernel("debian:6.1")
    assert "lkm kernel list" in caught.value.hint


SOURCES = """\
deb http://one.example/third/debian-like bookworm main
deb http://two.example/mirror/debian oldstable-updates main
deb http://three.example/security oldstable-security main
deb http://four.example/linux/debian bookworm stable
deb cdrom:[Debian]/ bookworm main
"""


def test_the_archive_is_the_one_this_machine_uses(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lkm.process.find_program("apt-get") is None:
        pytest.skip("no apt-get on this machine")
    (tmp_path / "sources.list").write_text(SOURCES)
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list"; Dir::Etc::sourceparts "/dev/null";\n'
    )
    (tmp_path / "keys.gpg").write_bytes(b"")
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setenv("LKM_KEYRING", str(tmp_path / "keys.gpg"))
    archive = Debian(Config()).archive(SUITES[0])
    assert [(item.uri, item.suite) for item in archive.sources] == [
        ("http://two.example/mirror/debian", "bookworm"),
        ("http://three.example/security", "bookworm-security"),
    ]
    (tmp_path / "sources.list").write_text(SOURCES.splitlines()[1])
    archive = Debian(Config()).archive(SUITES[0])
    assert [item.uri for item in archive.guessed] == ["http://two.example/mirror/debian-security"]
    archive = Debian(Config(mirror="http://mine.example/d/")).archive(SUITES[0])
    assert [item.uri for item in archive.sources] == ["http://mine.example/d"]
    (tmp_path / "sources.list").write_text("deb http://five.example/ubuntu jammy main\n")
    with pytest.raises(MissingError, match="knows no archive of Debian's") as caught:
        find_kernel("debian:6.1")
    assert "LKM_MIRROR" in caught.value.hint


def test_no_apt(archive: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lkm.process, "find_program", lambda name: None)
    monkeypatch.setattr("lkm.kernel.debian.find_program", lambda name: None)
    with pytest.raises(MissingError, match="apt-get is not on this machine"):
        find_kernel("debian:6.1")


def test_a_cache_that_cannot_be_written(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_CACHE", "/proc/lkm")
    with pytest.raises(MissingError, match="cannot write") as caught:
        find_kernel("debian:6.1")
    assert "LKM_CACHE" in caught.value.hint


def test_no_disk_left(archive: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("cannot mount a small file system")
    try:
        monkeypatch.setenv("LKM_CACHE", str(small / "cache"))
        with pytest.raises(MissingError, match="no disk left") as caught:
            find_kernel("debian:6.1")
        assert "lkm kernel remove" in caught.value.hint
        assert list_kernels() == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


# A process that kills itself, as kill -9 would, at its Nth word of progress.
KILLED = """
import os, signal, sys
from lkm.kernel import find_kernel
class Killer:
    left = int(sys.argv[1])
    def update(self, what, done=0, total=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
find_kernel("debian:trixie-backports", progress=Killer())
"""


def test_whole_or_not_at_all_whatever_is_killed_when(archive: Any, cache: Path) -> None:
    moment = killed = 0
    while True:
        moment += 1 if moment < 4 else 3
        status = subprocess.run([sys.executable, "-c", KILLED, str(moment)]).returncode
        if status == 0:
            break
        assert status == -signal.SIGKILL and moment < 60
        killed += 1
        assert list_kernels() == []
    assert killed > 5
    kernel = find_kernel(SPLIT)
    assert kernel.can_build and kernel.can_boot
    assert not [path for path in cache.glob("kernels/*/.new-*") if path.is_dir()]


def test_a_part_left_by_a_killed_process_goes_with_the_next_fetch_of_any(archive: Any, cache: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, "6"], check=False)
    assert [path for path in cache.glob("kernels/*/.new-7.3*") if path.is_dir()]
    add_kernel("debian:6.1", refresh=False)
    assert not [path for path in cache.glob("kernels/*/.new-*") if path.is_dir()]


def test_fetches_that_start_together_make_it_once(archive: Any, cache: Path, tmp_path: Path) -> None:
    code = "import lkm.process, sys\nfrom lkm.kernel import find_kernel\n"
    code += "lkm.process.set_trace(lambda line: print(line, flush=True))\nfind_kernel('debian:6.1')\n"
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0] * 4
    assert "".join(said).count(" download ") == 1
    assert [kernel.release for kernel in list_kernels()] == [NEW]
