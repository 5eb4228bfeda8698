# SPDX-License-Identifier: MIT
"""What is said of parameters, against the kernel: defaults, what is taken, and what sysfs shows then."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

import lkm
from lkm.kernel import Kernel
from lkm.module import Module, read_module
from lkm.module.rules import check_value

pytestmark = pytest.mark.guest

EDGES = (
    "0", "-1", "-0", "127", "128", "255", "256", "-32768", "-32769", "32768", "65535", "65536", "2147483647",
    "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
    "18446744073709551616",
)  # fmt: skip
NUMBERS = (
    *EDGES, "+1", "-128", "0x10", "0XfF", "-0x10", "0x", "0xg", "0x1g", "010", "08", "-017", "+-1", "-+1",
    "--1", "", " ", " 1", "1 ", "1k", "1.5", "five", "99999999999999999999k", "1,2", '"5"', "5\n", "5\n\n",
    "ffffffffffffffff", "0xffffffffffffffff", "0x1ffffffffffffffff", "01777777777777777777777",
)  # fmt: skip
SWITCHES = (
    "1", "0", "y", "n", "Y", "N", "t", "f", "T", "F", "yes", "no", "true", "false", "on", "off", "On", "oFF",
    "o", "ox", "e", "d", "enabled", "disabled", "E", "Down", "2", "-1", "00", "11", "1no", "", " y", "maybe",
    "x",
)  # fmt: skip
TEXTS = ("", "x", "two words", '"quoted"', "x" * 7, "x" * 8, "x" * 1024, "x" * 1025, "a,b", "a=b", "(null)")
LISTS = (
    "1", "1,2", "1,2,3", "1,2,3,4", "1,2,3,4,5", "1,,3", ",", "1,", ",1", "", "0x1,010", "1,x,3", "256,1",
    "1,99999999999", "1,2,3,4,99999999999", "99999999999,1,1,1,1,1", "1,2,256", "y,n", "y", "y,n,y", "a b,c",
    "1, 2",
)  # fmt: skip
VALUES = {
    **dict.fromkeys(("a_short", "a_ushort", "a_uint", "a_long", "a_ulong", "a_hexint"), EDGES),
    **dict.fromkeys(("a_byte", "an_int", "a_ullong"), NUMBERS),
    **dict.fromkeys(("a_bool", "an_invbool", "a_bint", "an_enable_only", "an_enabled_only"), SWITCHES),
    **dict.fromkeys(("a_charp", "a_null_charp", "a_string"), TEXTS),
    **dict.fromkeys(("ints", "bytes", "texts", "bools", "hexints"), LISTS),
    "even": ("2", "3", "x"),
    "careful": ("3",),
    "hidden": ("6", "x"),
}


@pytest.fixture(scope="module")
def every(kernel: Kernel) -> Module:
    """The module with a parameter of every type."""
    built = lkm.build(Path(__file__).parent / "every", kernel=kernel)
    assert built.ok, built.log
    return read_module(built.modules[0])


@pytest.fixture(scope="module")
def guest(kernel: Kernel) -> Iterator[lkm.Guest]:
    """One guest for all loads."""
    with lkm.Guest(kernel, timeout=60) as guest:
        yield guest


def spelled(name: str, value: str) -> str:
    """As it must be written for the kernel to read one word of it."""
    quoted = any(letter.isspace() for letter in value) or not value
    return f'{name}="{value}"' if quoted and '"' not in value else f"{name}={value}"


def test_defaults_are_what_sysfs_shows(every: Module, guest: lkm.Guest) -> None:
    with guest.loaded(every.path) as loaded:
        shown = dict(loaded.parameters)
    told = {one.name: one.shown for one in every.parameters if one.permission}
    assert all(one.known for one in every.parameters)
    assert told == shown
    hidden = next(one for one in every.parameters if one.name == "hidden")
    assert (hidden.default, hidden.permission) == (5, 0)


def test_values_are_taken_and_shown_as_told(every: Module, guest: lkm.Guest) -> None:
    wrong = []
    release = every.vermagic.partition(" ")[0]
    for name, values in VALUES.items():
        for value in values:
            word = spelled(name, value)
            told = check_value(every.parameters, word, release=release)
            step = guest.load(every.path, word)
            said = errno.errorcode[step.errno] if step.errno else ""
            shown = None
            if step.ok:
                shown = guest.parameters("every").get(name)
                assert guest.unload("every").ok
            if name == "even":  # own functions: nothing is promised
                assert told.reason == "the module's own function decides" and said in {"", "EDOM", "EINVAL"}
            elif (told.error, told.shown if name != "hidden" else None) != (said, shown):
                wrong.append(f"{word[:60]!r}: told {told.error or told.shown!r}, kernel {said or shown!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "word", ["a_bool", "an_invbool", "a_bint", "an_enable_only", "an_int", "ints", "a_charp"]
)
def test_names_without_a_value(every: Module, guest: lkm.Guest, word: str) -> None:
    step = guest.load(every.path, word)
    told = check_value(every.parameters, word)
    assert told.error == (errno.errorcode[step.errno] if step.errno else "")
    if step.ok:
        assert guest.parameters("every")[word] == told.shown
        guest.unload("every")


def test_unknown_names_are_ignored_with_a_warning(every: Module, guest: lkm.Guest) -> None:
    with guest.loaded(every.path, parameters="an-int=9 an_imt=8") as loaded:
        assert loaded.parameters["an_int"] == "9"
        assert "unknown parameter 'an_imt' ignored" in loaded.log.text
    told = check_value(every.parameters, "an_imt=8")
    assert (told.unknown, told.near, told.error) == (True, "an_int", "")
    assert check_value(every.parameters, "an-int=9").shown == "9"


def test_setting_what_is_unsafe_taints(every: Module, guest: lkm.Guest) -> None:
    with guest.loaded(every.path, careful=1) as loaded:
        assert "etting dangerous option careful - tainting kernel" in loaded.log.text
    assert "taints" in check_value(every.parameters, "careful=1").reason
