# SPDX-License-Identifier: MIT
"""Sources by whatever name, as a program asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lkm
from lkm.release.get import Policy


def test_by_each_kind_of_name(org: Any, policy: Policy, tmp_path: Path) -> None:
    for name, version in (("6.12", "6.12.9"), ("stable", "6.12.9"), ("6.12.8", "6.12.8")):
        got = lkm.get_sources(name, mirror=str(org.root), policy=policy, dest=tmp_path / name)
        assert got.version == version and got.tree == tmp_path / name / f"linux-{version}"
        assert lkm.verify_tree(got.tree).ok
    with pytest.raises(lkm.UsageError, match="is no clone"):
        lkm.get_sources("git:v6.12", reference=tmp_path / "nothing", policy=policy)


def test_a_file(org: Any, policy: Policy) -> None:
    answer = lkm.verify_file(
        org.place / "linux-6.12.9.tar.xz", signers=policy.signers, keyring=policy.keyring
    )
    assert isinstance(answer, lkm.Verification) and answer.ok
