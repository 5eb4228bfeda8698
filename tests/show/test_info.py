# SPDX-License-Identifier: MIT
"""Parameters' defaults as a person reads them."""

import pytest

from lkm.module import Parameter
from lkm.show.info import default_text, parameter_lines


@pytest.mark.parametrize(
    ("default", "shown", "text"),
    [
        ((1, 2, 3, 0), "1,2", "1,2"),
        ((-1,) * 33, "", "-1 (x 33), none given"),
        ((-1,) * 33, ",".join(["-1"] * 33), "-1 (x 33)"),
        ((None, "a"), "", "(null),a, none given"),
        (tuple(range(12)), "", "0,1,2,3,4,5,6,7,…, none given"),
    ],
)
def test_defaults_of_arrays(default: tuple[int, ...], shown: str, text: str) -> None:
    one = Parameter("p", "", "", 0, True, default, shown, count=len(default), kind="array")
    assert default_text(one) == text


def test_what_is_not_known_is_not_made_up() -> None:
    assert parameter_lines(Parameter("p", "int", "The p")) == ["  p: int", "      The p"]
    own = Parameter("p", "int", "", 0o644, unsafe=True)
    assert "set by the module's own function; setting it taints the kernel" in parameter_lines(own)[0]
