# SPDX-License-Identifier: MIT
"""What is read out of a person's Kbuild file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.kbuild.kbuildfile import active_lines, find_doubt, find_includes, objects_above

LECTURE = """\
ifneq ($(KERNELRELEASE),)

  obj-m += hello.o

else

  KERNELDIR_LKP ?= /lib/modules/$(shell uname -r)/build
  STAMP := $(shell date)

all:
\tmake -C $(KERNELDIR_LKP) M=$(PWD) modules

endif
"""


def lines(text: str) -> list[str]:
    return [line.strip() for line in active_lines(text) if line.strip()]


def test_only_kbuilds_branch_counts() -> None:
    assert lines(LECTURE) == ["obj-m += hello.o"]
    assert lines("ifeq ($(KERNELRELEASE),)\na\nelse\nb\nendif\nc\n") == ["b", "c"]
    assert lines("ifdef KERNELRELEASE\na\nelse\nb\nendif\n") == ["a"]
    assert lines("ifndef KERNELRELEASE\na\nelse\nb\nendif\n") == ["b"]


def test_other_conditions_may_go_either_way() -> None:
    assert lines("ifeq ($(DEBUG),1)\na\nelse\nb\nendif\n") == ["a", "b"]
    nested = (
        "ifneq ($(KERNELRELEASE),)\nifdef X\na\nelse\nb\nendif\nelse\nifdef Y\nc\nelse\nd\nendif\nendif\n"
    )
    assert lines(nested) == ["a", "b"]


def test_comments_recipes_and_long_lines() -> None:
    text = "# $(shell x)\na := 1 # b\nall:\n\t$(shell y)\nc := \\\n d\n"
    assert [" ".join(line.split()) for line in lines(text)] == ["a := 1", "all:", "c := d"]
    assert lines("endif\nelse\na\n") == ["a"]
    assert lines("a := \\") == ["a :="]


@pytest.mark.parametrize(
    "text",
    [
        "ccflags-y := -DV=$(shell git describe)",
        "X != date",
        "ccflags-y := ${shell date}",
        "obj-m := $(patsubst %.c,%.o,$(wildcard ../*.c))",
        "obj-m := $(notdir $(wildcard /somewhere/*.o))",
        "$(eval $(call x,y))",
        "$(file >x,y)",
    ],
)
def test_doubts(text: str) -> None:
    assert find_doubt(f"obj-m := a.o\n{text}\n") == text


@pytest.mark.parametrize(
    "text",
    [
        LECTURE,
        "KDIR ?= /lib/modules/$(shell uname -r)/build",
        "obj-m := $(wildcard *.c)",
        "PWD := $(shell pwd)",
    ],
)
def test_no_doubt(text: str) -> None:
    assert find_doubt(text) == ""


def test_includes() -> None:
    values = {"src": "/s", "M": "/m"}
    assert find_includes("include $(src)/a.mk ${M}/b.mk\n-include /c\n", values) == [
        Path("/s/a.mk"),
        Path("/m/b.mk"),
        Path("/c"),
    ]
    for unclear in ("include $(NOBODY)/a.mk", "include a.mk", "include $(src)/*.mk"):
        assert find_includes(unclear, values) is None
    assert find_includes("ifeq ($(KERNELRELEASE),)\ninclude local.mk\nendif\n", values) == []


def test_objects_above() -> None:
    assert objects_above("m-y := a.o ../common/b.o ../../c.o") == 2
    assert objects_above("m-y := a.o\nccflags-y := -I$(src)/../include # ../x.o") == 0
