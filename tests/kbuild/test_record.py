# SPDX-License-Identifier: MIT
"""What is remembered of a build."""

from __future__ import annotations

from pathlib import Path

from lkm.kbuild import Diagnostic, Severity
from lkm.kbuild.mirror import Stamp
from lkm.kbuild.record import Record, is_same, read_record, read_stamp, read_stamps, write_record

RECORD = Record(
    ok=True,
    files={"a.c": Stamp(1, 2, 3, 4), "o\udcffdd": Stamp(5, 6, 7, 8)},
    outside={"/x.h": None, "/y.h": Stamp(9, 9, 9, 9)},
    identity={"/k": Stamp(1, 1, 1, 1)},
    made={},
    levels=2,
    modules=("a.ko",),
    targets={"a.o": [Diagnostic(Path("/a.c"), 1, 2, Severity.WARNING, "x", "-Wx", "int")], "": []},
    doubt="",
    objects={"a.o": ("a.c", "/x.h")},
    units={"a": ("a.o",)},
    proved=("a.o",),
    exports={"a.o": ("__ksymtab_x",)},
    refused="no",
    by_hand=("a.o",),
    pending=(),
)


def test_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_record(RECORD, path)
    assert read_record(path) == RECORD
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]


def test_damage_is_absence(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    assert read_record(path) is None
    write_record(RECORD, path)
    whole = path.read_bytes()
    for end in range(0, len(whole), 13):
        path.write_bytes(whole[:end])
        assert read_record(path) is None
    path.write_bytes(whole.replace(b'"format":1', b'"format":0'))
    assert read_record(path) is None


def test_stamps(tmp_path: Path) -> None:
    file = tmp_path / "x"
    assert read_stamp(file) is None
    file.write_text("1")
    stamps = read_stamps([file, tmp_path / "absent"])
    assert is_same(stamps)
    (tmp_path / "absent").touch()
    assert not is_same(stamps)


def test_a_file_that_changed_meanwhile_is_never_the_same(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("1")
    changed = file.stat().st_ctime_ns
    assert is_same(read_stamps([file], before=changed + 1))
    assert not is_same(read_stamps([file], before=changed))
