# SPDX-License-Identifier: MIT
"""Configuration files: reading, writing, comparing."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lkm.errors import BadInputError, UsageError
from lkm.kconfig.dotconfig import (
    Change,
    compare,
    format_setting,
    parse_config,
    parse_option,
    parse_settings,
    read_config,
    unquote,
)

TEXT = """\
# Linux/x86 6.1
CONFIG_A=y
# CONFIG_B is not set
CONFIG_C=m
CONFIG_S="a \\"b\\" \\\\ c"
CONFIG_N=0x1f
CONFIG_A=m
#CONFIG_X=y
 CONFIG_Y=y
"""


def test_the_last_of_two_lines_holds_and_comments_are_no_options() -> None:
    assert parse_config(TEXT) == {"A": "m", "B": "n", "C": "m", "S": 'a "b" \\ c', "N": "0x1f"}


def test_settings_say_where_they_stand() -> None:
    found = parse_settings(TEXT, where="x.config")
    assert [(one.name, one.where) for one in found][:3] == [
        ("A", "x.config:2"),
        ("B", "x.config:3"),
        ("C", "x.config:4"),
    ]


@pytest.mark.parametrize(
    ("name", "value", "kind", "line"),
    [
        ("A", "y", "bool", "CONFIG_A=y\n"),
        ("A", "n", "tristate", "# CONFIG_A is not set\n"),
        ("A", "n", "", "# CONFIG_A is not set\n"),
        ("A", "n", "string", 'CONFIG_A="n"\n'),
        ("A", "12", "", "CONFIG_A=12\n"),
        ("A", "12", "string", 'CONFIG_A="12"\n'),
        ("A", "-x", "", 'CONFIG_A="-x"\n'),
        ("A", 'say "hi" \\', "string", 'CONFIG_A="say \\"hi\\" \\\\"\n'),
        ("A", "0x10", "hex", "CONFIG_A=0x10\n"),
    ],
)
def test_a_line_as_conf_reads_it(name: str, value: str, kind: str, line: str) -> None:
    assert format_setting(name, value, kind=kind) == line
    assert parse_config(line)[name] == value


@pytest.mark.parametrize("word", ["CONFIG_A=y", "A=y", "A=", 'A="x y"'])
def test_options_with_and_without_prefix(word: str) -> None:
    setting = parse_option(word)
    assert (setting.name, setting.value) == ("A", unquote(word.partition("=")[2]))


@pytest.mark.parametrize("word", ["A", "a b=c", "=y", "--x=y"])
def test_what_is_no_option_is_told_with_the_form(word: str) -> None:
    with pytest.raises(UsageError, match="OPTION=VALUE"):
        parse_option(word)


def test_compressed_as_in_proc(tmp_path: Path) -> None:
    (tmp_path / "config.gz").write_bytes(gzip.compress(TEXT.encode()))
    assert read_config(tmp_path / "config.gz")["C"] == "m"
    (tmp_path / "config.gz").write_bytes(gzip.compress(TEXT.encode())[:30] + b"garbage")
    with pytest.raises(BadInputError):
        read_config(tmp_path / "config.gz")


def test_a_file_without_options_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("hello\n")
    with pytest.raises(BadInputError, match="no line of it is a kernel option"):
        read_config(tmp_path / "x")
    with pytest.raises(UsageError, match="No such file"):
        read_config(tmp_path / "y")


def test_off_and_not_there_are_one() -> None:
    assert compare({"A": "n", "B": "y", "C": "1"}, {"B": "n", "C": "2", "D": "y"}) == [
        Change("B", "y", "n"),
        Change("C", "1", "2"),
        Change("D", None, "y"),
    ]
