# SPDX-License-Identifier: MIT
"""The kernel's lists and trees in a guest's memory.

There may be nonsense in it: a walk that does not end, as none of the kernel's does, raises `Unreadable`.
"""

from __future__ import annotations

from collections.abc import Iterator

from lkm.leftovers.memory import Memory, Unreadable

_MOST = 20000  # entries of one list or tree


def walk_list(memory: Memory, head: int, offset: int = 0) -> Iterator[int]:
    """The structures on a `struct list_head`, which lies `offset` bytes within each."""
    at = memory.u64(head)
    for _ in range(_MOST):
        if at in (head, 0):
            return
        yield at - offset
        at = memory.u64(at)
    raise Unreadable


def walk_chain(memory: Memory, first: int, next_at: int) -> Iterator[int]:
    """The structures of a list that ends with a null pointer; `next_at`: where in each the next one's is."""
    for _ in range(_MOST):
        if not first:
            return
        yield first
        first = memory.u64(first + next_at)
    raise Unreadable


def walk_tree(memory: Memory, root: int) -> Iterator[int]:
    """The nodes of a red-black tree whose `struct rb_root` is at `root`, in no order (lib/rbtree.c)."""
    top = memory.u64(root)
    waiting = [top] if top else []
    for _ in range(_MOST):
        if not waiting:
            return
        node = waiting.pop()
        yield node
        _, right, left = memory.words(node)
        if right:
            waiting.append(right)
        if left:
            waiting.append(left)
    raise Unreadable


class Radix:
    """A `struct xarray` (an IDR's `idr_rt`), at `address`: entries by number (lib/xarray.c)."""

    def __init__(self, memory: Memory, address: int, head_at: int, slots_at: int) -> None:
        self._memory = memory
        self._head = memory.u64(address + head_at)
        self._slots_at = slots_at

    def find(self, number: int) -> int:
        """The entry, 0 where there is none."""
        entry = self._head
        for _ in range(12):
            if entry & 3 != 2 or entry <= 4096:  # no inner node (xa_is_node)
                break
            node = entry - 2
            shift = self._memory.read(node, 1)[0]
            index = number >> shift
            if index > 63 and entry == self._head:
                return 0
            entry = self._memory.u64(node + self._slots_at + (index & 63) * 8)
            if shift == 0:
                return entry
        else:
            raise Unreadable
        return entry if number == 0 else 0
