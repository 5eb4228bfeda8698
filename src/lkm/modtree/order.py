# SPDX-License-Identifier: MIT
"""What must be loaded before what, from what the modules say of themselves.

Freshly unpacked packages have no `modules.dep`, so `depends=` of each module is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lkm.errors import BadInputError
from lkm.modtree.builtin import built_in_modules
from lkm.modtree.find import ModuleFiles, fold_name
from lkm.module import Module, read_module


def load_order(modules_dir: Path | None, modules: Iterable[str | Path], *, soft: bool = True) -> list[Path]:
    """The files to load, in an order that works: dependencies first, each once.

    `modules` are names, looked for in `modules_dir`, or paths of files, which are first looked for
    among each other.  Built-in modules are left out.  With `soft`, modules named by MODULE_SOFTDEP
    `pre:` come too where they are there, `post:` ones after.  Raises `BadInputError` for a name that is
    nowhere and for modules that need each other in a circle.
    """
    return _Walk(modules_dir, list(modules), soft).run()


class _Walk:
    """A depth-first walk over dependencies; `done` in the order found."""

    def __init__(self, modules_dir: Path | None, wanted: list[str | Path], soft: bool) -> None:
        self.modules_dir = modules_dir
        self.files = ModuleFiles(modules_dir) if modules_dir else None
        self.soft = soft
        self.built_in = built_in_modules(modules_dir) if modules_dir else frozenset[str]()
        self.done: dict[str, Path] = {}
        self.open: list[str] = []
        self.given: dict[str, Module] = {}
        self.seen: dict[str, Module] = {}
        self.wanted: list[str] = []
        for item in wanted:
            if isinstance(item, Path):
                module = read_module(item)
                self.given.setdefault(module.name, module)
                self.wanted.append(module.name)
            else:
                self.wanted.append(fold_name(item))

    def run(self) -> list[Path]:
        for name in self.wanted:
            self.visit(name, needed_by="")
        return list(self.done.values())

    def visit(self, name: str, *, needed_by: str) -> None:
        if name in self.done or (name in self.built_in and name not in self.given):
            return
        if name in self.open:
            circle = " -> ".join([*self.open[self.open.index(name) :], name])
            raise BadInputError(f"modules need each other in a circle: {circle}")
        module = self.find(name, walk=True)
        if module is None:
            place = f"in {self.modules_dir}" if self.modules_dir else "among the given files"
            whose = f", which {needed_by} depends on," if needed_by else ""
            hint = f"name what makes it first: its source, or {name}.ko" if needed_by else ""
            raise BadInputError(f"module {name}{whose} is not {place}", hint=hint)
        self.open.append(name)
        pre, post = module.softdeps if self.soft else ((), ())
        for other in module.depends:
            self.visit(other, needed_by=name)
        for other in pre:
            self.visit_soft(other)
        self.open.pop()
        self.done[name] = module.path
        for other in post:
            self.visit_soft(other)

    def visit_soft(self, name: str) -> None:
        """A soft dependency that is not there, or leads in a circle, is no error."""
        if name not in self.open and self.find(name, walk=False) is not None:
            try:
                self.visit(name, needed_by="")
            except BadInputError:
                return

    def find(self, name: str, *, walk: bool) -> Module | None:
        if name in self.given:
            return self.given[name]
        if name not in self.seen and self.files is not None:
            path = self.files.find(name, walk=walk)
            if path is not None:
                self.seen[name] = read_module(path)
        return self.seen.get(name)
