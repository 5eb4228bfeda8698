# SPDX-License-Identifier: MIT
"""What is looked at once modules are gone: what they left behind, what cycles of them cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.guest import Guest
from lkm.kernel import Kernel
from lkm.leftovers.layout import find_layout
from lkm.leftovers.observe import Observer, find_observer
from lkm.leftovers.value import Leftover

if TYPE_CHECKING:
    from lkm.leftovers.cycles import Counter

__all__ = ["Aftermath", "find_layout"]


class Aftermath:
    """Looks at one guest; `observer` is None where its memory cannot be read, and nothing is found then."""

    def __init__(self, guest: Guest, kernel: Kernel, *, memory: int, cpus: int) -> None:
        self.guest = guest
        self.observer: Observer | None = find_observer(guest.pid, kernel, memory=memory, cpus=cpus)

    def close(self) -> None:
        """Gives everything back."""
        if self.observer is not None:
            self.observer.close()
            self.observer = None

    def note(self, name: str) -> None:
        """A module is about to be unloaded."""
        if self.observer is not None:
            self.observer.note(name)

    def look(self) -> tuple[Leftover, ...] | None:
        """What unloaded modules left behind, None where that cannot be seen."""
        return self.observer.look() if self.observer is not None else None

    def count(self, cycles: int, files: Mapping[str, Path]) -> Counter:
        """Counts memory over cycles; `files`: the modules' by name."""
        from lkm.leftovers.cycles import Counter

        return Counter(self.guest, self.observer, cycles, files)
