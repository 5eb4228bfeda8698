# SPDX-License-Identifier: MIT
"""This program's version, and the order of kernel releases."""

from __future__ import annotations

import re

VERSION = "0.1.0"

_NUMBER = re.compile(r"\d+")


def release_key(release: str) -> tuple[int, ...]:
    """A sort key for kernel releases as `uname -r` gives them: `6.1.0-56-amd64` → (6, 1, 0, 56).

    Numbers before the first word that is a flavour (`amd64`, `cloud`) count; a release candidate sorts
    before its release (`7.1-rc3` < `7.1`).
    """
    head = re.split(r"[-+.](?=[a-z](?!c\d))", release, maxsplit=1)[0]
    candidate = re.search(r"[-~]rc(\d+)", head)
    plain = re.sub(r"[-~]rc\d+", "", head)
    numbers = [int(part) for part in _NUMBER.findall(plain)]
    numbers += [0] * (4 - len(numbers))
    return (*numbers[:3], int(candidate[1]) if candidate else 10_000, *numbers[3:])


def series(release: str) -> str:
    """The first two numbers of a release: `6.12.117+deb13-amd64` → `6.12`."""
    numbers = _NUMBER.findall(release)
    return ".".join(numbers[:2])
