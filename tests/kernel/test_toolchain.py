# SPDX-License-Identifier: MIT
"""The cage that a fetched compiler runs in; here this machine's own /usr plays the fetched one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lkm import process
from lkm.errors import MissingError
from lkm.kernel import Kernel, Origin, Toolchain, add_kernel, find_kernel, remove_kernel, toolchain_command
from lkm.kernel.debian_toolchain import PROGRAMS, merge_usr
from lkm.kernel.toolchain import build_mounts, find_cage_problem, find_places

BARE = Kernel("bare", "6.1.0", "x86_64", Origin.DIRECTORY)
OWN = Toolchain("gcc-99", "gcc-99", None)
FETCHED = Toolchain("gcc-99", "gcc-99", Path("/"))


@pytest.fixture
def caged(tmp_path: Path) -> Callable[..., process.Result]:
    """Runs a shell line in the cage, with `out` to write and `in` to read."""
    if problem := find_cage_problem():
        pytest.skip(problem)
    if not Path("/bin").is_symlink():
        pytest.skip("no merged /usr on this machine")
    for name in ("in", "out", "other"):
        (tmp_path / name).mkdir()

    def run(line: str, **more: Any) -> process.Result:
        given = {
            "writable": [tmp_path / "out"],
            "readable": [tmp_path / "in"],
            "cwd": tmp_path / "out",
        } | more
        return process.run(toolchain_command(FETCHED, ["sh", "-c", line], kernel=BARE, **given), timeout=60)

    return run


def test_the_machines_own_runs_as_it_is(tmp_path: Path) -> None:
    argv = ["make", "-C", "x"]
    assert toolchain_command(OWN, argv, kernel=BARE, writable=[], readable=[], cwd=tmp_path) == argv


def test_without_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="bubblewrap") as caught:
        toolchain_command(FETCHED, ["true"], kernel=BARE, writable=[], readable=[], cwd=tmp_path)
    assert "apt-get install bubblewrap" in caught.value.hint
    assert "bubblewrap" in find_cage_problem()


def test_what_is_seen_in_the_cage(caged: Callable[..., process.Result], tmp_path: Path) -> None:
    (tmp_path / "in/source").write_text("text")
    result = caged(f"cat ../in/source; pwd; ls {tmp_path}; ls /; echo made >made")
    assert result.status == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == f"text{tmp_path}/out"
    assert lines[1:3] == ["in", "out"]  # not "other"
    assert not {"home", "root", "srv", "opt", "work", "boot", "sys"} & set(lines[3:])
    assert (tmp_path / "out/made").read_text() == "made\n"


@pytest.mark.parametrize(
    "line",
    [
        "echo >../in/x",
        "echo >/usr/x",
        "echo >/usr/bin/x",
        "echo >/etc/x",
        "cat /etc/../root/.profile /home/*/.profile",
        "cat ../other/secret",
        "mount -t tmpfs none /mnt",
    ],
)
def test_what_cannot_be_done_in_the_cage(
    line: str, caged: Callable[..., process.Result], tmp_path: Path
) -> None:
    (tmp_path / "other/secret").write_text("secret")
    assert caged(line).status != 0
    assert not (tmp_path / "in/x").exists()


def test_no_network_no_processes_no_capabilities(caged: Callable[..., process.Result]) -> None:
    assert [line.split(":")[0].strip() for line in caged("tail -n +3 /proc/net/dev").stdout.splitlines()] == [
        "lo"
    ]
    assert len(caged("ls -d /proc/[0-9]*").stdout.split()) < 6
    capabilities = caged("grep CapEff /proc/self/status").stdout.split()[1]
    assert int(capabilities, 16) == 0


def test_tmp_is_private(caged: Callable[..., process.Result], tmp_path: Path) -> None:
    assert caged("ls -a /tmp; echo x >/tmp/lkm-in-the-cage; cat $TMPDIR/lkm-in-the-cage").status == 0
    assert not Path("/tmp/lkm-in-the-cage").exists()
    # To read all of /tmp must not take the compiler's place for temporary files away.
    (tmp_path / "in/source").write_text("text")
    result = caged("cat in/source; echo x >/tmp/y", readable=[Path("/tmp")], cwd=tmp_path)
    if tmp_path.is_relative_to("/tmp"):
        assert (result.status, result.stdout) == (0, "text"), result.stderr


def test_to_read_all_does_not_hide_the_toolchain(
    caged: Callable[..., process.Result], tmp_path: Path
) -> None:
    fake = tmp_path / "toolchain"
    (fake / "usr/bin").mkdir(parents=True)
    mounts = toolchain_command(
        Toolchain("x", "x", fake),
        ["true"],
        kernel=BARE,
        writable=[],
        readable=[Path("/usr"), Path("/")],
        cwd=tmp_path,
    )
    bound = [mounts[at + 1] for at, word in enumerate(mounts) if word == "--ro-bind-try"]
    assert "/usr/lib" in bound and "/usr/bin" not in bound and "/usr" not in bound and "/proc" not in bound


def test_links_work_by_both_names(caged: Callable[..., process.Result], tmp_path: Path) -> None:
    (tmp_path / "in/source").write_text("text")
    (tmp_path / "link").symlink_to("in")
    result = caged("cat ../link/source ../in/source", readable=[tmp_path / "link"])
    assert result.stdout == "texttext", result.stderr


def test_the_status_and_what_is_said_come_through(caged: Callable[..., process.Result]) -> None:
    result = caged("echo out; echo err >&2; exit 7")
    assert (result.status, result.stdout, result.stderr) == (7, "out\n", "err\n")


def test_it_ends_with_whoever_started_it(caged: Callable[..., process.Result], tmp_path: Path) -> None:
    line = f"echo >{tmp_path}/out/started; exec sleep 987.25"
    argv = toolchain_command(
        FETCHED,
        ["sh", "-c", line],
        kernel=BARE,
        writable=[tmp_path / "out"],
        readable=[],
        cwd=tmp_path / "out",
    )
    code = f"from lkm import process\nprocess.run({argv!r})"
    starter = subprocess.Popen([sys.executable, "-c", code])
    try:
        # Before it runs there, bubblewrap's own child may not have asked yet to be killed with its parent.
        wait_for((tmp_path / "out/started").exists)
        wait_for(sleepers)
    finally:
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    wait_for(lambda: not sleepers())


def sleepers() -> list[str]:
    return [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if read(path) == b"sleep\x00987.25\x00"
    ]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def wait_for(condition: Callable[[], object]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


IN_CHROOT = """
import sys
from pathlib import Path
from lkm import process
from lkm.kernel import Kernel, Origin, Toolchain, toolchain_command
from lkm.kernel.toolchain import find_cage_problem
assert not find_cage_problem(), find_cage_problem()
kernel = Kernel("bare", "6.1.0", "x86_64", Origin.DIRECTORY)
out = Path(sys.argv[1])
argv = ["sh", "-c", "echo made >made; ls / /mnt; tail -n +3 /proc/net/dev"]
fetched = Toolchain("x", "x", Path("/"))
argv = toolchain_command(fetched, argv, kernel=kernel, writable=[out], readable=[], cwd=out)
result = process.run(argv)
print(argv[0], result.status, result.stderr, result.stdout)
"""


def test_in_a_plain_chroot_as_root(tmp_path: Path, caged: Callable[..., process.Result]) -> None:
    """A chroot whose / is no mount point, as in a build root: bubblewrap alone refuses to work there."""
    if os.geteuid() != 0 or not Path("/bin").is_symlink():
        pytest.skip("only root can chroot")
    root = tmp_path / "root"
    root.mkdir()
    lines = ["set -e", "mount --make-rprivate /"]
    for entry in sorted(Path("/").iterdir()):
        if entry.is_symlink():
            (root / entry.name).symlink_to(entry.readlink())
        elif entry.is_dir():
            (root / entry.name).mkdir()
            if entry.name not in ("mnt", "media"):
                lines.append(f"mount --rbind /{entry.name} {root}/{entry.name}")
    out = tmp_path / "out"
    lines.append(f'exec chroot {root} "$@"')
    argv = ["unshare", "--mount", "sh", "-c", "\n".join(lines), "sh"]
    result = process.run([*argv, sys.executable, "-c", IN_CHROOT, str(out)], timeout=60)
    if "mount:" in result.stderr or "unshare:" in result.stderr:
        pytest.skip(result.stderr)
    assert result.stdout.startswith("unshare 0"), result.stdout + result.stderr
    assert "lo:" in result.stdout and "eth" not in result.stdout
    assert (out / "made").exists()
    assert subprocess.run(["grep", str(root), "/proc/self/mountinfo"], capture_output=True).stdout == b""


def test_room_is_left_for_mounts(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("usr/bin", "usr/lib/gcc", "usr/lib/modules/old", "etc"):
        (root / name).mkdir(parents=True)
    (root / "usr/lib/ld").symlink_to("gcc/ld")
    plain = build_mounts(root, [Path("/home/user/hello")])
    assert plain[-6:] == ["--ro-bind", f"{root}/usr", "/usr", "--ro-bind", f"{root}/etc", "/etc"]
    made = build_mounts(root, [Path("/usr/lib/modules/6.1/build")])
    assert made[made.index("--dir") :] == [
        *("--dir", "/usr", "--ro-bind", f"{root}/usr/bin", "/usr/bin", "--dir", "/usr/lib"),
        *("--ro-bind", f"{root}/usr/lib/gcc", "/usr/lib/gcc", "--symlink", "gcc/ld", "/usr/lib/ld"),
        *("--dir", "/usr/lib/modules", "--ro-bind", f"{root}/usr/lib/modules/old", "/usr/lib/modules/old"),
        *("--ro-bind", f"{root}/etc", "/etc"),
    ]


def test_places_a_build_reads(tmp_path: Path) -> None:
    build, common, scripts = (tmp_path / name for name in ("build", "common", "lib/scripts"))
    for directory in (build, common, scripts):
        directory.mkdir(parents=True)
    (common / "Makefile").write_text("")
    (build / "Makefile").write_text(
        "lkm_build := x\ninclude $(lkm_build)/../common/Makefile\ninclude /nowhere/Makefile\n"
    )
    (build / "scripts").symlink_to("../lib/scripts")
    (build / "broken").symlink_to("nowhere")
    kernel = Kernel("x", "6.1", "x86_64", Origin.DIRECTORY, build=build)
    assert find_places(kernel) == [build, common, scripts]
    assert find_places(BARE) == []


def test_a_root_is_merged_as_installed_systems_are(tmp_path: Path) -> None:
    for name in ("bin", "lib/x", "usr/lib/x", "usr/bin"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("bin/sh", "lib/x/libc.so.6", "usr/lib/x/libm.so", "usr/bin/gcc"):
        (tmp_path / name).write_text(name)
    merge_usr(tmp_path)
    merge_usr(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_symlink()} == {"bin", "sbin", "lib", "lib64"}
    assert (tmp_path / "usr/bin/sh").read_text() == "bin/sh"
    assert (tmp_path / "lib/x/libc.so.6").read_text() == "lib/x/libc.so.6"
    assert (tmp_path / "lib/x/libm.so").read_text() == "usr/lib/x/libm.so"


def test_a_kernel_brings_its_compiler(archive: Any, fakes: Any, cache: Path) -> None:
    config = fakes.config("gcc-98 (Test 98.2.0-1) 98.2.0")
    archive.add_kernel("trixie-backports", "7.9.1+deb13-cloud-amd64", "7.9.1-1", config=config)
    for name in PROGRAMS:
        archive.add("trixie", name, "1.0-1", {f"usr/bin/{name}": b"", f"usr/share/doc/{name}/copyright": b""})
    archive.add("trixie", "libasan8", "1.0", {"usr/lib/libasan.so.8": b""})
    files = {"usr/bin/gcc-98": b"", "bin/mawk": b"", "usr/bin/x86_64-lto-dump-98": b""}
    archive.add("trixie", "gcc-98", "98.2.0-3", files, depends="libasan8")
    archive.publish("trixie", "trixie-backports")

    kernel = find_kernel("debian:7.9", need_build=False)
    assert not kernel.can_build and kernel.build is not None
    with pytest.raises(
        MissingError, match=r"gcc-98 \(Test 98\.2\.0-1\) 98\.2\.0, which is not on this machine"
    ):
        find_kernel("debian:7.9", fetch=False)
    toolchain = find_kernel("debian:7.9").toolchain
    assert toolchain is not None and toolchain.root is not None
    assert (toolchain.compiler, toolchain.version) == ("gcc-98", "gcc-98 (Debian 98.2.0-3) 98.2.0")
    assert toolchain.note == "fetched from debian trixie: the kernel was built with gcc-98"
    programs = toolchain.root / "usr/bin"
    assert {"gcc", "cc", "gcc-98", "awk", "make"} <= {path.name for path in programs.iterdir()}
    left_out = {path.name for path in toolchain.root.rglob("*")} & {
        "copyright",
        "libasan.so.8",
        "x86_64-lto-dump-98",
    }
    assert left_out == set()
    assert find_kernel("debian:7.9", fetch=False).toolchain == toolchain
    assert remove_kernel("debian:7.9") > 0
    assert not toolchain.root.exists()


def test_where_nothing_can_be_caged_nothing_is_fetched(
    archive: Any, fakes: Any, compilers: Callable[..., Path]
) -> None:
    archive.add_kernel("sid", "7.9.1+deb14-cloud-amd64", "7.9.1-1", config=fakes.config("gcc-98 (T) 98.2.0"))
    archive.publish("sid")
    compilers("bwrap").write_text(
        "#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2; exit 1\n"
    )
    with pytest.raises(MissingError, match="cannot be run here: bwrap: setting up uid map") as caught:
        add_kernel("debian:7.9")
    assert caught.value.hint == "install gcc-98"


def test_a_compiler_that_no_archive_has(archive: Any, fakes: Any) -> None:
    config = fakes.config("gcc-98 (Test 98.2.0-1) 98.2.0")
    archive.add_kernel("sid", "7.9.1+deb14-cloud-amd64", "7.9.1-1", config=config)
    archive.publish("sid")
    with pytest.raises(MissingError, match="neither on this machine nor in the archive") as caught:
        add_kernel("debian:7.9")
    assert caught.value.hint == "install gcc-98"
    # The kernel is there all the same: it boots, and its headers wait for a compiler.
    assert find_kernel("debian:7.9", need_build=False).can_boot


HELLO = """\
#include <linux/module.h>
static int __init hello_init(void) { return 0; }
static void __exit hello_exit(void) { }
module_init(hello_init);
module_exit(hello_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("hello");
"""


@pytest.mark.fetch
@pytest.mark.parametrize("name", ["debian:6.1", "debian:trixie", "debian:7.3"])
def test_plain_make_builds_a_module(name: str, tmp_path: Path, kernel_named: Callable[[str], Kernel]) -> None:
    kernel = kernel_named(name)
    assert kernel.toolchain is not None and kernel.build is not None
    if kernel.toolchain.root is not None and (problem := find_cage_problem()):
        pytest.skip(problem)
    source = tmp_path / "hello"
    source.mkdir()
    (source / "hello.c").write_text(HELLO)
    (source / "Makefile").write_text("obj-m := hello.o\n")
    argv = ["make", "-C", str(kernel.build), f"M={source}", f"CC={kernel.toolchain.compiler}", "modules"]
    argv = toolchain_command(
        kernel.toolchain, argv, kernel=kernel, writable=[source], readable=[], cwd=source
    )
    result = process.run(argv)
    assert result.status == 0, result.stdout + result.stderr
    assert f"vermagic={kernel.release} ".encode() in (source / "hello.ko").read_bytes()
    assert "compiler differs" not in result.stdout + result.stderr
    if shutil.which("modinfo"):
        said = subprocess.run(["modinfo", "-F", "name", source / "hello.ko"], capture_output=True, text=True)
        assert said.stdout == "hello\n"
