# SPDX-License-Identifier: MIT
"""Which file an initcall is from."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lkm.boot.origin import add_origins, read_objects
from lkm.boot.value import Initcall
from lkm.kernel import Kernel, Origin


def build(root: Path, objects: list[str]) -> Kernel:
    """A build directory with a real thin archive of these objects."""
    for name in objects:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    subprocess.run(["ar", "cDPrST", "vmlinux.a", *objects], cwd=root, check=True)
    return Kernel("own", "6.12", "x86_64", Origin.DIRECTORY, build=root)


def call(module: str, line: int = 0, name: str = "start") -> Initcall:
    return Initcall(name, "device", 0.0, 0.0, 0, module, line)


def test_an_own_builds_objects_name_the_file(tmp_path: Path) -> None:
    names = ["drivers/char/mem.o", "lib/percpu_counter.o", "net/a/core.o", "drivers/b/core.o"]
    kernel = build(tmp_path, names)
    assert read_objects(tmp_path / "vmlinux.a") == names
    found = add_origins([call("mem"), call("percpu_counter"), call("core"), call("nowhere")], kernel)
    # Two files have the same name, and there are no sources to ask.
    assert [one.source for one in found] == ["drivers/char/mem.c", "lib/percpu_counter.c", "", ""]


def test_the_line_in_the_sources_tells_files_of_one_name_apart(tmp_path: Path) -> None:
    kernel = build(tmp_path, ["net/a/core.o", "drivers/b/core.o"])
    (tmp_path / "Kconfig").touch()
    (tmp_path / "net/a/core.c").write_text("\n" * 50)
    (tmp_path / "drivers/b/core.c").write_text("\n" * 41 + "subsys_initcall(start);\n")
    assert add_origins([call("core", 42)], kernel)[0].source == "drivers/b/core.c"
    assert add_origins([call("core", 7)], kernel)[0].source == ""


def test_headers_name_what_could_have_been_a_module(tmp_path: Path) -> None:
    modules = tmp_path / "lib/modules/6.1"
    modules.mkdir(parents=True)
    (modules / "modules.builtin").write_text("kernel/net/ipv4/tcp_cubic.ko\nkernel/fs/virtio-fs.ko\n")
    kernel = Kernel("debian", "6.1", "x86_64", Origin.DISTRIBUTION, modules=modules)
    found = add_origins([call("tcp_cubic"), call("virtio_fs"), call("af_inet")], kernel)
    assert [one.source for one in found] == ["kernel/net/ipv4/tcp_cubic.ko", "kernel/fs/virtio-fs.ko", ""]


def test_another_archive_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux.a"
    for data in (b"", b"!<arch>\n", b"!<thin>\n//" + b" " * 60, b"!<thin>\n//" + b"9" * 60):
        path.write_bytes(data)
        assert read_objects(path) == []
    assert read_objects(tmp_path / "none") == []
