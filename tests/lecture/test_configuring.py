# SPDX-License-Identifier: MIT
"""The lecture's ways to a configuration: from nothing, and from the one there was."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from kernel_sources import fetch_tree

from lkm.kconfig import Request, configure, explain_option, open_index, read_config, read_tree

pytestmark = pytest.mark.fetch


@pytest.fixture(scope="module")
def sources() -> Path:
    """The Kconfig files of a real kernel."""
    return fetch_tree()


def test_everything_that_can_be_off_is_off(sources: Path, tmp_path: Path) -> None:
    made = configure(read_tree(sources), tmp_path, Request(target="allnoconfig"))
    values = read_config(tmp_path / ".config")
    assert made.options < 500
    assert "m" not in values.values() and values["NET"] == "n"


def test_an_old_configuration_kept_and_the_new_options_by_default(sources: Path, tmp_path: Path) -> None:
    """`zcat /proc/config.gz > .config && make oldconfig`."""
    old = "CONFIG_64BIT=y\nCONFIG_MODULES=y\nCONFIG_NET=y\nCONFIG_EXPERT=y\n"
    (tmp_path / "config.gz").write_bytes(gzip.compress(old.encode()))
    tree = read_tree(sources)
    configure(tree, tmp_path / "o", Request(target="oldconfig", start=tmp_path / "config.gz"))
    values = read_config(tmp_path / "o/.config")
    assert {values[name] for name in ("64BIT", "MODULES", "NET", "EXPERT")} == {"y"}
    assert len(values) > 1000
    why = explain_option(open_index(tree), tmp_path / "o", "USB_ACM")
    assert why.value in (None, "n") and why.change is not None and why.change.proved
