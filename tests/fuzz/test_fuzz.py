# SPDX-License-Identifier: MIT
"""Hostile files: what a long run found once, and a short run of its own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fuzz_targets import ALLOWED, TARGETS
from fuzzer import Fuzzer

from lkm.errors import LkmError

CORPUS = Path(__file__).parent / "corpus"
FOUND = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_once_is_mended(path: Path) -> None:
    target, _ = TARGETS[path.parent.name]
    fuzzer = Fuzzer(target, (LkmError, *ALLOWED.get(path.parent.name, ())), [], seconds=5)
    fuzzer.try_case(path.read_bytes())
    assert not fuzzer.findings, [one.reason for one in fuzzer.findings.values()]


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_short_run_finds_nothing(name: str) -> None:
    target, seeds = TARGETS[name]
    fuzzer = Fuzzer(target, (LkmError, *ALLOWED.get(name, ())), list(seeds), random.Random(7), seconds=20)
    fuzzer.run(cases=400)
    assert not fuzzer.findings, [(one.reason, one.data[:80]) for one in fuzzer.findings.values()]
    assert len(fuzzer.corpus) > len(seeds)  # coverage guides it: some case reached something new


def test_the_fuzzer_finds_what_is_there_to_be_found() -> None:
    def target(data: bytes) -> None:
        from lkm.modtree.pattern import match_pattern

        match_pattern(data[:4], b"abc")
        if data[:1] != b"A" and len(data) > 3:
            raise KeyError("found")

    fuzzer = Fuzzer(target, (LkmError,), [b"Abcdef"], random.Random(1))
    fuzzer.run(cases=500)
    assert any(reason.startswith("KeyError") for reason in fuzzer.findings)


def test_a_case_without_end_is_a_finding() -> None:
    def target(data: bytes) -> None:
        while True:
            pass

    fuzzer = Fuzzer(target, (LkmError,), [], seconds=0.05)
    fuzzer.try_case(b"")
    assert [one.reason for one in fuzzer.findings.values()] == ["no end after 0.05 s"]
