# SPDX-License-Identifier: MIT
"""The kernel's rules for values of parameters (tests/lecture and the guest tests ask the kernel itself)."""

import pytest

from lkm.module import Parameter
from lkm.module.rules import check_value, parse_number, parse_switch


def parameter(kind: str, **more: object) -> Parameter:
    return Parameter("p", kind, "", permission=0o644, kind=kind, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("byte", "255", ""), ("byte", "256", "ERANGE"), ("byte", "-1", "EINVAL"),
        ("short", "-32768", ""), ("short", "-32769", "ERANGE"), ("ushort", "65536", "ERANGE"),
        ("int", "2147483647", ""), ("int", "2147483648", "ERANGE"), ("int", "-2147483648", ""),
        ("int", "0x7fffffff", ""), ("int", "-0x10", ""), ("int", "+5", ""), ("int", "-+5", "EINVAL"),
        ("int", "010", ""), ("int", "08", "EINVAL"), ("int", "0x", "EINVAL"), ("int", "", "EINVAL"),
        ("int", " 5", "EINVAL"), ("int", "5 ", "EINVAL"), ("int", "5\n", ""), ("int", "5\n\n", "EINVAL"),
        ("int", "five", "EINVAL"), ("int", "5k", "EINVAL"), ("int", "99999999999999999999k", "ERANGE"),
        ("uint", "4294967295", ""), ("uint", "4294967296", "ERANGE"), ("uint", "+1", ""),
        ("ulong", "18446744073709551615", ""), ("ulong", "18446744073709551616", "ERANGE"),
        ("ullong", "0xffffffffffffffff", ""), ("long", "-9223372036854775808", ""),
        ("long", "9223372036854775808", "ERANGE"), ("hexint", "12", ""),
        ("bool", "Y", ""), ("bool", "yes", ""), ("bool", "true", ""), ("bool", "on", ""), ("bool", "oFF", ""),
        ("bool", "2", "EINVAL"), ("bool", "o", "EINVAL"), ("bool", "", "EINVAL"), ("bool", "1no", ""),
        ("invbool", "n", ""), ("bint", "T", ""), ("bint", "3", "EINVAL"),
        ("charp", "x" * 1024, ""), ("charp", "x" * 1025, "ENOSPC"), ("charp", "", ""),
    ],
)  # fmt: skip
def test_values(kind: str, value: str, error: str) -> None:
    answer = check_value([parameter(kind)], f"p={value}")
    assert answer.error == error, answer
    assert answer.good == (not error)


def test_long_is_as_long_as_the_machine_has_it() -> None:
    assert check_value([parameter("ulong")], "p=4294967296", bits=32).error == "ERANGE"
    assert check_value([parameter("ulong")], "p=4294967296", bits=64).good


def test_strings_and_arrays_have_bounds() -> None:
    text = parameter("string", length=8)
    assert check_value([text], "p=seven77").good
    assert check_value([text], "p=eight888").error == "ENOSPC"
    numbers = parameter("array", count=3, element="int")
    assert check_value([numbers], "p=1,0x2,-3").good
    assert "can only take 3" in check_value([numbers], "p=1,2,3,4").reason
    assert check_value([numbers], "p=1,,3").error == "EINVAL"
    assert check_value([numbers], "p=1,2147483648").error == "ERANGE"
    assert check_value([numbers], "p=1,2,").error == "EINVAL"


def test_names_are_folded_and_near_misses_told() -> None:
    one = Parameter("lp_interval", "int", "", permission=0, kind="int")
    assert check_value([one], "lp-interval=3").good
    answer = check_value([one], "lp_intervall=3")
    assert (answer.unknown, answer.near, answer.error) == (True, "lp_interval", "")
    assert check_value([one], "dyndbg=+p").good


def test_only_switches_go_without_a_value() -> None:
    assert check_value([parameter("bool")], "p").good
    assert check_value([parameter("invbool")], "p").error == "EINVAL"
    assert check_value([parameter("int")], "p").error == "EINVAL"


def test_quotes_are_taken_off_as_the_kernel_does() -> None:
    assert check_value([parameter("string", length=8)], 'p="a b c d"').good


def test_own_functions_and_taints_are_told() -> None:
    own = Parameter("p", "", "", permission=0o644)
    assert check_value([own], "p=anything").reason == "the module's own function decides"
    assert "taints" in check_value([parameter("int", unsafe=True)], "p=1").reason


def test_numbers_and_switches() -> None:
    assert parse_number("0x1fz") == (31, "z")
    assert parse_number("-017") == (-15, "")
    assert parse_number("0xg") == (0, "xg")
    assert parse_switch("On") is True and parse_switch("off") is False and parse_switch("maybe") is None
