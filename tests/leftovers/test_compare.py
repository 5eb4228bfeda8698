# SPDX-License-Identifier: MIT
"""Two inventories: each thing is told once, by the name that says most."""

from __future__ import annotations

from lkm.leftovers.compare import compare, fold
from lkm.leftovers.inventory import Inventory
from lkm.leftovers.value import Kind, Leftover


def names(found: tuple[Leftover, ...]) -> list[str]:
    return [one.name for one in found]


def test_only_what_is_new_and_was_looked_at_before() -> None:
    before = Inventory({"proc": frozenset({"/proc/a"}), "cipher": frozenset({"aes"})}, 5)
    after = Inventory({"proc": frozenset({"/proc/a", "/proc/b"}), "filesystem": frozenset({"ext2"})}, 9)
    assert compare(before, after) == [Leftover(Kind.PROC, "/proc/b")]


def test_references_count_upwards_only() -> None:
    before = Inventory({"reference": frozenset({"loop 0", "dm 3"})}, None)
    after = Inventory({"reference": frozenset({"loop 2", "dm 1", "new 4"})}, None)
    assert compare(before, after) == [Leftover(Kind.REFERENCE, "loop", "2 more than before")]


def test_the_topmost_path_stands_for_all_below() -> None:
    found = [Leftover(Kind.PROC, one) for one in ("/proc/hello/b/c", "/proc/hello", "/proc/hello/b")]
    assert names(fold(found)) == ["/proc/hello"]


def test_a_handler_is_no_entry_of_proc() -> None:
    (one,) = fold(
        [Leftover(Kind.PROC, "/proc/irq/7/hello"), Leftover(Kind.KERNEL_THREAD, "irq/7-hello (pid 9)")]
    )
    assert (one.kind, one.name, one.detail) == (Kind.INTERRUPT, "7", "hello")


def test_a_network_device_stands_for_its_files() -> None:
    device = Leftover(Kind.NETWORK_DEVICE, "left0")
    paths = [
        Leftover(Kind.SYSFS, "/sys/devices/virtual/net/left0"),
        Leftover(Kind.SYSCTL, "/proc/sys/net/ipv4/conf/left0"),
        Leftover(Kind.PROC, "/proc/net/dev_snmp6/left0"),
    ]
    assert fold([*paths, device]) == (device,)


def test_links_are_told_only_where_nothing_else_is() -> None:
    link, real = Leftover(Kind.SYSFS, "/sys/class/x/dev"), Leftover(Kind.SYSFS, "/sys/devices/virtual/x")
    assert fold([link, real], {link.name}) == (real,)
    assert fold([link], {link.name}) == (link,)


def test_a_thread_is_told_once_with_its_function() -> None:
    plain, known = (Leftover(Kind.KERNEL_THREAD, "loop (pid 9)", text) for text in ("", "in loop()"))
    assert fold([plain, known]) == (known,)


def test_every_kind_has_a_sentence() -> None:
    for kind in Kind:
        one = Leftover(kind, "name")
        assert "name" in one.text and one.cause in one.text
