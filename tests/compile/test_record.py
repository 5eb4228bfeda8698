# SPDX-License-Identifier: MIT
"""What is kept of a build."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lkm.compile.record import (
    BuildRecord,
    digest_config,
    read_build_record,
    read_config_lines,
    record_path,
    write_build_record,
)

RECORD = BuildRecord(
    name="6.12.9-mine", version="6.12.9", release="6.12.9-mine", arch="x86", tree="/src/linux-6.12.9",
    build="/build", source=None, config_sha256="ab", compiler="gcc (Debian 12.2.0-14) 12.2.0",
    variables={"CC": "gcc"}, targets=[], jobs=2, started="2026-11-23T04:00:00+00:00",
)  # fmt: skip


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    whole = replace(RECORD, seconds=12.5, status=0, slowest=[("kernel/fork.o", 2.5)], sizes={"vmlinux": 7})
    write_build_record(tmp_path, whole)
    assert read_build_record(tmp_path) == whole
    assert whole.ok and not whole.broke_off
    assert RECORD.broke_off and not RECORD.ok
    assert not replace(whole, status=2).ok


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"schema": 2}', '{"schema": 1}', '{"schema": 1, "slowest": 3}']
)
def test_what_is_no_record_is_none(tmp_path: Path, text: str) -> None:
    record_path(tmp_path).write_text(text)
    assert read_build_record(tmp_path) is None


def test_a_later_record_with_more_in_it_is_read(tmp_path: Path) -> None:
    write_build_record(tmp_path, RECORD)
    data = json.loads(record_path(tmp_path).read_text())
    record_path(tmp_path).write_text(json.dumps({**data, "news": 1}))
    assert read_build_record(tmp_path) == RECORD


def test_remarks_are_no_configuration(tmp_path: Path) -> None:
    config = tmp_path / ".config"
    assert digest_config(tmp_path) == ""
    config.write_text(
        "#\n# Automatically generated file\n#\nCONFIG_A=y\n# CONFIG_B is not set\n\n# General\n"
    )
    first = digest_config(tmp_path)
    assert read_config_lines(tmp_path) == "CONFIG_A=y\n# CONFIG_B is not set\n"
    config.write_text("CONFIG_A=y\n# CONFIG_B is not set\n")
    assert digest_config(tmp_path) == first
    config.write_text("CONFIG_A=y\nCONFIG_B=y\n")
    assert digest_config(tmp_path) != first


def test_a_part_is_no_kernel() -> None:
    assert RECORD.is_whole
    for target in ("bzImage", "modules", "bindeb-pkg"):
        assert replace(RECORD, targets=["prepare", target]).is_whole
    assert RECORD.is_all and replace(RECORD, targets=["bindeb-pkg"]).is_all
    assert not replace(RECORD, targets=["modules"]).is_all
    for target in ("kernel/irq/", "fs/ext2/ext2.ko", "prepare"):
        assert not replace(RECORD, targets=[target]).is_whole
