# SPDX-License-Identifier: MIT
"""Own kernels and source trees as `lkm kernel list`, `show` and `remove` tell of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lkm.compile.state import OwnState, State, find_users, read_state
from lkm.errors import UsageError
from lkm.guest.store import find_templates
from lkm.kconfig.tree import is_tree
from lkm.kernel import Kernel, Origin
from lkm.kernel.own import OwnKernel, find_own, find_own_at, find_unbuilt, list_own
from lkm.kernel.size import measure, measure_build
from lkm.release.get import list_trees
from lkm.release.record import Record, record_path
from lkm.show.age import format_age

# Above this many bytes of own kernels and sources together, what may go is named.
MUCH = 10_000_000_000


@dataclass(frozen=True, slots=True)
class OwnRow:
    """An own kernel with its size on disk (bytes) and when a guest of it was last started (None: never)."""

    state: OwnState
    size: int
    used: float | None

    @property
    def last(self) -> float:
        """When it was last of use: seconds since the epoch."""
        return max(self.used or 0.0, self.state.built or 0.0)

    @property
    def text(self) -> str:
        """What there is to say of it: how far it is, or how old."""
        now = time.time()
        if self.state.state is State.BROKE_OFF and self.state.record is not None:
            return f"begun {self.state.record.started[:16].replace('T', ' ')} UTC, and not ended"
        if self.state.state not in (State.BUILT, State.CHANGED):
            return self.state.why or self.state.state.value
        built = f"built {format_age(self.state.built or now, now)}"
        used = f"used {format_age(self.used, now)}" if self.used else "never booted"
        return "; ".join(filter(None, (f"{built}, {used}", self.state.why)))


@dataclass(frozen=True, slots=True)
class TreeRow:
    """Kernel sources in the cache; `size` in bytes, of the compressed file they came from too."""

    place: Path
    record: Record
    size: int
    users: tuple[OwnKernel, ...]

    @property
    def text(self) -> str:
        """Where it came from, and who needs it."""
        users = ", ".join(own.full_name for own in self.users)
        signed = f"signed by {self.record.signer}" if self.record.signer else self.record.origin
        return f"{signed}{f'; {users}' if users else '; no own kernel needs it'}"


@dataclass(frozen=True, slots=True)
class OtherTree:
    """Kernel sources outside the cache that own kernels were built from; nothing says who made them."""

    place: Path
    users: tuple[OwnKernel, ...]

    @property
    def text(self) -> str:
        """Where they are, and who needs them."""
        return f"{self.place}, not got by lkm; {', '.join(own.full_name for own in self.users)}"


def read_own_row(own: OwnKernel) -> OwnRow:
    """All that is told of an own kernel."""
    state = read_state(own)
    used = max((template.used for template in find_templates(state.kernel)), default=0.0)
    return OwnRow(state, measure_build(own.build) if own.is_there else 0, used or None)


def find_row(kernel: Kernel) -> OwnRow | None:
    """What is told of a kernel that was built here, by the name or by its build directory; None of others.

    A build directory that has no name is told of likewise; one of a headers package is none.
    """
    place = kernel.build or (kernel.config.parent if kernel.config is not None else None)
    own: OwnKernel | None = None
    if kernel.origin is Origin.OWN:
        own = find_own(kernel.name)
    elif kernel.origin is Origin.DIRECTORY and place is not None:
        own = find_own_at(place)
        if own is None and find_unbuilt(place, kernel.name) is not None:
            own = OwnKernel(place.name, place, linked=False)
    return read_own_row(own) if own is not None else None


def list_own_rows() -> list[OwnRow]:
    """The own kernels by name."""
    return [read_own_row(own) for own in list_own()]


def list_tree_rows() -> list[TreeRow]:
    """The sources in the cache by name."""
    return [_tree_row(place, record) for place, record in list_trees()]


def list_other_trees(owns: Sequence[OwnRow]) -> list[OtherTree]:
    """The sources of own kernels that are there, and not in the cache, by place."""
    known = {place.resolve() for place, _ in list_trees()}
    users: dict[Path, list[OwnKernel]] = {}
    for row in owns:
        tree = row.state.tree.resolve() if row.state.tree is not None else None
        if tree is not None and tree not in known and tree.is_dir():
            users.setdefault(tree, []).append(row.state.own)
    return [OtherTree(place, tuple(users[place])) for place in sorted(users)]


def check_directory(own: OwnKernel) -> None:
    """Raises `UsageError` where the build directory of `own` holds what no build made."""
    from lkm.modtree.built import is_build

    build, tree = own.build, read_state(own).tree
    what = ""
    if (tree is not None and tree.resolve().is_relative_to(build)) or is_tree(build):
        what = "its sources are in it"
    elif Path.home().resolve().is_relative_to(build) or (build / ".git").exists():
        what = "there is more in it"
    elif not is_build(build) and not (build / ".config").is_file():
        what = "it does not look like a kernel's build directory any more"
    if what:
        raise UsageError(
            f"{build} is not removed: {what}",
            hint=f"lkm kernel remove {own.full_name}, without --with-directory, forgets the name",
        )


def _tree_row(place: Path, record: Record) -> TreeRow:
    file = _file_of(record)
    size = measure(place, [place, record_path(place)]) + (file.stat().st_size if file else 0)
    return TreeRow(place, record, size, tuple(find_users(place)))


def _file_of(record: Record) -> Path | None:
    """The compressed file in the cache that a tree was unpacked from."""
    from lkm.release.get import sources_dir

    file = Path(record.file) if record.file else None
    return file if file is not None and file.parent == sources_dir() and file.is_file() else None


def find_tree_row(name: str) -> TreeRow | None:
    """The sources in the cache of that name (`linux-6.12.9`); None where there are none."""
    found = next(((place, record) for place, record in list_trees() if place.name == name), None)
    return _tree_row(*found) if found is not None else None


def find_much(owns: Sequence[OwnRow], trees: Sequence[TreeRow]) -> tuple[int, str]:
    """Bytes that own kernels and sources take, and the name of what may go first; "" where they are few."""
    owns = [row for row in owns if not row.state.own.linked]  # the others stay, whatever is removed
    total = sum(row.size for row in owns) + sum(row.size for row in trees)
    if total < MUCH:
        return total, ""
    idle = [row.place.name for row in sorted(trees, key=lambda row: -row.size) if not row.users]
    oldest = [row.state.own.full_name for row in sorted(owns, key=lambda row: row.last)]
    return total, next(iter([*idle, *oldest]), "")


def remove_sources(row: TreeRow, *, force: bool) -> int:
    """Removes sources with the file they were unpacked from; the bytes freed.

    Raises `UsageError` where an own kernel needs them, unless `force`.
    """
    from lkm.release.get import remove_tree

    if row.users and not force:
        first = row.users[0].full_name
        raise UsageError(
            f"{row.place.name} is what {', '.join(own.full_name for own in row.users)} was built from: "
            "without it no module can be built against it",
            hint=f"lkm kernel remove {first} first; or --force, and get it again when it is needed",
        )
    file = _file_of(row.record)
    remove_tree(row.place)
    if file is not None:
        for path in (file, file.with_name(f"linux-{row.record.version}.tar.sign")):
            path.unlink(missing_ok=True)
    return row.size


def own_json(row: OwnRow) -> dict[str, Any]:
    """What `--json` says of an own kernel beyond what it says of all."""
    state, record = row.state, row.state.record
    return {
        "state": state.state,
        "why": state.why,
        "directory": state.own.build,
        "linked": state.own.linked,
        "on_disk": row.size,
        "built": state.built,
        "used": row.used,
        "sources": state.tree,
        "version": record.version if record else "",
        "record": record,
    }


def tree_json(row: TreeRow) -> dict[str, Any]:
    """What `--json` says of sources."""
    return {
        "name": row.place.name,
        "path": row.place,
        "size": row.size,
        "needed_by": [own.full_name for own in row.users],
        **{
            name: getattr(row.record, name) for name in ("version", "origin", "source", "verified", "message")
        },
        **{name: getattr(row.record, name) for name in ("signer", "signed", "got")},
    }
