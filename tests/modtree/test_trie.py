# SPDX-License-Identifier: MIT
"""The index files: built, searched, patched, and damaged."""

import fnmatch
import random

import pytest

from lkm.errors import BadInputError
from lkm.modtree.patch import patch_trie
from lkm.modtree.pattern import match_pattern
from lkm.modtree.trie import Trie, build_trie

LETTERS = "ab-_:*?[]\\z0"


def random_entries(dice: random.Random, count: int) -> list[tuple[bytes, int, bytes]]:
    return [
        (
            "".join(dice.choices("ab_:*", k=dice.randrange(6))).encode(),
            dice.randrange(4),
            b"m%d" % dice.randrange(3),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_what_goes_in_comes_out(seed: int) -> None:
    dice = random.Random(seed)
    entries = random_entries(dice, dice.randrange(40))
    trie = Trie(build_trie(entries))
    assert sorted(trie) == sorted(entries)
    for key, _, _ in entries:
        assert trie.search(key) == sorted((p, v) for k, p, v in entries if k == key)
    assert trie.search(b"not there") == []


@pytest.mark.parametrize("seed", range(20))
def test_patterns_are_found(seed: int) -> None:
    dice = random.Random(seed)
    entries = random_entries(dice, 30)
    trie = Trie(build_trie(entries))
    for _ in range(30):
        text = "".join(dice.choices("ab_:", k=dice.randrange(7))).encode()
        expected = sorted((p, v) for k, p, v in entries if fnmatch.fnmatchcase(text.decode(), k.decode()))
        assert trie.search_patterns(text) == expected


@pytest.mark.parametrize("seed", range(30))
def test_a_patched_index_says_the_same_as_one_built_whole(seed: int) -> None:
    dice = random.Random(seed)
    entries = random_entries(dice, dice.randrange(25))
    data = build_trie(entries)
    for _ in range(10):
        gone = dice.sample(entries, min(len(entries), dice.randrange(4)))
        come = random_entries(dice, dice.randrange(4))
        data = patch_trie(Trie(data), gone, come)
        for one in gone:
            entries.remove(one)
        entries += come
        assert sorted(Trie(data)) == sorted(entries)
        for key, _, _ in entries:
            assert Trie(data).search(key) == sorted((p, v) for k, p, v in entries if k == key)


def test_other_than_ascii_is_left_out() -> None:
    assert list(Trie(build_trie([("ü".encode(), 1, b"m"), (b"u", 1, b"m")]))) == [(b"u", 1, b"m")]


@pytest.mark.parametrize(
    ("pattern", "text", "match"),
    [
        ("pci:v*d*", "pci:v1d2", True), ("pci:v*d*", "pci:v1", False), ("a[b-d]e", "ace", True),
        ("a[!b]e", "ace", True), ("a[^c]e", "ace", False), ("a[", "a[", True), ("a\\*", "a*", True),
        ("a\\*", "ab", False), ("*", "", True), ("", "", True), ("?", "", False), ("[]]x", "]x", True),
        ("a*a*a*a*a*a*a*a*b", "a" * 60, False), ("*a", "ba", True), ("ab*ba", "aba", False),
    ],
)  # fmt: skip
def test_matching(pattern: str, text: str, match: bool) -> None:
    assert match_pattern(pattern.encode(), text.encode()) is match


@pytest.mark.parametrize("seed", range(3))
def test_matching_is_that_of_fnmatch(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(3000):
        pattern = "".join(dice.choices("ab*?", k=dice.randrange(8)))
        text = "".join(dice.choices("ab", k=dice.randrange(8)))
        assert match_pattern(pattern.encode(), text.encode()) == fnmatch.fnmatchcase(text, pattern)


def test_damaged_indexes_give_a_clear_error() -> None:
    data = build_trie((b"key%d" % number, number, b"value") for number in range(40))
    dice = random.Random(0)
    for _ in range(3000):
        at = dice.randrange(len(data))
        bad = data[:at] + bytes([dice.randrange(256)]) + data[at + 1 :]
        if dice.randrange(4) == 0:
            bad = bad[: dice.randrange(len(bad))]
        try:
            trie = Trie(bad, name="modules.alias.bin")
            assert len(list(trie)) < 5000
            trie.search(b"key7")
            trie.search_patterns(b"key7")
        except BadInputError as error:
            assert "modules.alias.bin" in error.message


def test_a_circle_of_nodes_ends() -> None:
    # A root whose only child, for the letter a, is itself.
    data = bytes.fromhex("b007f45700020001") + (12 | 0x20000000).to_bytes(4, "big")
    data += b"aa" + (12 | 0x20000000).to_bytes(4, "big")
    with pytest.raises(BadInputError, match="circle"):
        list(Trie(data))
