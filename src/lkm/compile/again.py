# SPDX-License-Identifier: MIT
"""A build done again from its record: the same sources, configuration, words and targets."""

from __future__ import annotations

import re
from pathlib import Path

from lkm.compile.record import BuildRecord, digest_file, log_path, read_record_file, record_path
from lkm.compile.value import KernelBuilt, Request
from lkm.errors import BadInputError
from lkm.kconfig.configuration import Request as Wanted
from lkm.kconfig.configuration import configure
from lkm.kconfig.tree import MAKE_WORDS, Tree, is_tree, read_tree
from lkm.kernel.own import is_building
from lkm.paths import make_dir
from lkm.release.get import list_trees

# What a build directory's own name put there; the new one has its own.
_MAP = re.compile(r"-fdebug-prefix-map=\S+=\.(?: |$)")


def read_recipe(path: Path) -> BuildRecord:
    """A record by its file, or its build directory.

    Raises `BadInputError` where there is none, or where its build did not come to its end.
    """
    file = record_path(path) if path.is_dir() else path
    record = read_record_file(file)
    if record is None:
        raise BadInputError(
            f"{file}: no record of a build", hint="lkm kernel build writes it: BUILD/.lkm-build.json"
        )
    if record.broke_off:
        going = is_building(Path(record.build))
        raise BadInputError(
            f"{file}: the build it is of {'is still going on' if going else 'did not come to its end'}",
            hint=f"tail -f {log_path(Path(record.build))} shows how far it is"
            if going
            else f"lkm kernel build -O {record.build} goes on with it",
        )
    return record


def find_recorded_tree(record: BuildRecord) -> Tree:
    """The sources a record names: where they were, or in the cache; raises `BadInputError` elsewhere.

    A tree of the same version is taken for the same; where the record has the sources' checksum or commit,
    that must be the same too.
    """
    words = {name: value for name, value in record.variables.items() if name in MAKE_WORDS}
    place = Path(record.tree)
    if is_tree(place):
        tree = read_tree(place, words)
        if tree.version == record.version:
            return tree
    for found, known in list_trees():
        same = all(
            not (record.source or {}).get(name) or (record.source or {})[name] == getattr(known, name)
            for name in ("sha256", "commit")
        )
        if same and known.version == record.version:
            return read_tree(found, words)
    raise BadInputError(
        f"the sources of Linux {record.version} are not here ({record.tree})",
        hint=f"lkm kernel get {record.version}",
    )


def prepare_again(record: BuildRecord, build: Path) -> Request:
    """Makes `build` as the record says (its .config, by the kernel's own conf); what is to be built there."""
    tree = find_recorded_tree(record)
    if not record.config:
        raise BadInputError("the record has no configuration in it", hint="copy the .config by hand")
    start = make_dir(build) / ".lkm-recorded.config"
    start.write_text(record.config, encoding="utf-8")
    configure(tree, build, Wanted(target="olddefconfig", start=start))
    start.unlink()
    words = {}
    for name, value in record.variables.items():
        if name not in MAKE_WORDS:
            kept = _MAP.sub("", value).strip()
            if kept:
                words[name] = kept
    return Request(tree, build, tuple(record.targets), words)


def find_differences(record: BuildRecord, built: KernelBuilt) -> list[str]:
    """What is not as it was recorded, in words; empty where it is the same."""
    said = []
    now = built.record
    if now.compiler != record.compiler:
        said.append(f"the compiler: {now.compiler}, it was {record.compiler}")
    if now.config_sha256 != record.config_sha256:
        said.append("the configuration, which the kernel's conf changed")
    for name, digest in record.sha256.items():
        if digest and now.sha256.get(name, digest_file(built.log.parent / name)) != digest:
            said.append(f"{name}: not the same bytes")
    return said
