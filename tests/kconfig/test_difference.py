# SPDX-License-Identifier: MIT
"""Two configurations compared; the names they may go by."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.errors import UsageError
from lkm.kconfig.difference import diff_configs, find_config, read_source
from lkm.kernel import Kernel


def test_three_groups(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=1\nCONFIG_D=y\n# CONFIG_E is not set\n")
    (tmp_path / "b").write_text("CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=2\nCONFIG_E=m\n")
    difference = diff_configs(read_source(str(tmp_path / "a")), read_source(str(tmp_path / "b")))
    names = [[change.name for change in group] for group in (difference.only_before, difference.only_after)]
    assert names == [["B", "D"], ["E"]]
    assert [(one.name, one.before, one.after) for one in difference.changed] == [("C", "1", "2")]
    assert not difference.same
    assert diff_configs(difference.before, difference.before).same


def test_a_directory_a_file_a_kernels_name(tmp_path: Path, kernel: Kernel) -> None:
    (tmp_path / ".config").write_text("CONFIG_A=y\n")
    assert find_config(str(tmp_path)) == find_config(str(tmp_path / ".config")) == tmp_path / ".config"
    assert find_config(kernel.name) == kernel.config
    with pytest.raises(UsageError, match="no such file"):
        find_config(str(tmp_path / "gone"))
