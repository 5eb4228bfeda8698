# SPDX-License-Identifier: MIT
"""Reading module files, beside the C tools: `python bench/modules.py [--kernel NAME] [--runs N] [--json]`.

Whole processes and this one, by turns, on all modules of a distribution kernel: depmod with everything
written, `depmod -n`, depmod after one module was changed, the information of all modules, `info` of one, and
the first lookup of a symbol; then how the cost of the index grows with the number of kernels.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from measure import Series, Target, report

from lkm import process
from lkm.kernel import Kernel, find_kernel
from lkm.kernel.symbols import Symbols
from lkm.modtree.depmod import depmod_texts, run_depmod
from lkm.modtree.find import iter_module_files
from lkm.modtree.graph import build_graph
from lkm.modtree.index import Index
from lkm.modtree.tree import read_tree
from lkm.module.bulk import read_information

LKM = [sys.executable, "-c", "from lkm.cli import main; main()"]
SYMBOL = "usb_register_driver"
Job = Callable[[], float | None]


def tool(name: str) -> str:
    """A program of kmod's."""
    found = process.find_program(name)
    if found is None:
        sys.exit(f"{name} is missing: install kmod")
    return str(found)


class Bench:
    """Copies of a modules directory: for kmod, for lkm in this process, and for its two ways as a process."""

    def __init__(self, kernel: Kernel, place: Path) -> None:
        assert kernel.modules is not None
        self.kernel = kernel
        self.release = kernel.modules.name
        self.roots = {who: place / who for who in ("kmod", "lkm", "whole", "changed")}
        for root in self.roots.values():
            (root / "lib/modules").mkdir(parents=True)
            shutil.copytree(kernel.modules, self.directory(root), symlinks=True, ignore=_no_links)
        self.files = [str(path) for path in iter_module_files(self.directory(self.roots["lkm"]))]
        self.index = Index(place / "index.sqlite")
        self.cache = place / "cache"
        self._changes = 0

    def directory(self, root: Path) -> Path:
        """The modules directory below a root."""
        return root / "lib/modules" / self.release

    @property
    def mine(self) -> Path:
        """The directory that lkm writes in."""
        return self.directory(self.roots["lkm"])

    def run(self, argv: list[str]) -> None:
        """A whole process; what it says is thrown away."""
        environment = {**os.environ, "LKM_CACHE": str(self.cache)}
        # With it every start would compile what was changed last: not what a user has.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        subprocess.run(
            argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )

    def kmod(self, *words: str) -> None:
        """kmod's depmod."""
        self.run([tool("depmod"), "-b", str(self.roots["kmod"]), *words, self.release])

    def lkm(self, who: str, *words: str) -> None:
        """lkm's depmod."""
        self.run([*LKM, "depmod", "-b", str(self.roots[who]), *words, self.release])

    def change(self, who: str) -> None:
        """One module gets other aliases: the texts and indexes of those come out otherwise."""
        path = next(self.directory(self.roots[who]).rglob("dummy.ko"))
        self._changes += 1
        data = path.read_bytes()
        start = data.index(b"alias=rtnl-link-") + len(b"alias=rtnl-link-")
        path.write_bytes(data[:start] + b"%05d" % self._changes + data[start + 5 :])

    def changed(self, who: str, job: Callable[[], object]) -> float:
        """The time of `job` alone, after a change."""
        self.change(who)
        start = time.perf_counter()
        job()
        return time.perf_counter() - start

    def texts(self) -> None:
        """`depmod -n` in this process."""
        depmod_texts(build_graph(read_tree(self.mine)[0]))

    def information(self) -> None:
        """All that modinfo shows, of all modules."""
        for path in self.files:
            read_information(path)

    def lookup(self) -> float:
        """The first lookup in a cached kernel: the index's file is opened for it."""
        start = time.perf_counter()
        found = Symbols(self.index).find([self.kernel], SYMBOL)
        took = time.perf_counter() - start
        assert found and found[0].exported
        return took


def _no_links(place: str, names: list[str]) -> set[str]:
    return {name for name in names if name in {"build", "source"} and (Path(place) / name).is_symlink()}


def by_turns(jobs: dict[str, Job], runs: int) -> dict[str, Series]:
    """Each job once, then again, so that what else the machine does falls on all of them."""
    values: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(runs + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            own = job()
            took = time.perf_counter() - start if own is None else own
            if turn:  # the first is for the page cache
                values[name].append(took)
        print(f"\r{turn}/{runs} ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return {name: Series(name, tuple(many)) for name, many in values.items()}


def growth(bench: Bench, place: Path, most: int) -> list[Series]:
    """Indexing 1, 2, 4, 8 kernels (copies of one under other names), and a lookup across all of them."""
    index = Index(place / "growth.sqlite")
    rows = []
    assert bench.kernel.modules is not None
    kernels: list[Kernel] = []
    took = 0.0
    for number in range(1, most + 1):
        link = place / f"kernel-{number}"
        link.mkdir()
        for entry in bench.kernel.modules.iterdir():
            if entry.name not in {"build", "source"}:
                (link / entry.name).symlink_to(entry)
        kernels.append(replace(bench.kernel, name=f"copy {number}", modules=link))
        start = time.perf_counter()
        Symbols(index).find([kernels[-1]], SYMBOL)
        took += time.perf_counter() - start
        if number & (number - 1) == 0:
            lookups = []
            for _ in range(9):
                start = time.perf_counter()
                assert len(Symbols(index).find(kernels, SYMBOL)) == number
                lookups.append(time.perf_counter() - start)
            rows.append(Series(f"index made, {number} kernels", (took,)))
            rows.append(Series(f"lookup across {number} kernels", tuple(lookups)))
            size = index.path.stat().st_size / 2**20
            rows.append(Series(f"index on disk, {number} kernels", (size,), unit="MiB"))
    return rows


def main() -> None:
    """The benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kernel", default="debian:6.1-amd64")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--growth", type=int, default=8, help="kernels to index; 0 leaves this part out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    kernel = find_kernel(options.kernel, need_build=False)
    with tempfile.TemporaryDirectory(prefix="lkm-bench-") as temporary:
        place = Path(temporary)
        bench = Bench(kernel, place)
        one = next(name for name in bench.files if "/e1000e.ko" in name or "/virtio_net.ko" in name)
        Symbols(bench.index).find([kernel], SYMBOL)
        bench.lkm("changed")
        rows = by_turns(
            {
                "depmod: kmod": bench.kmod,
                "depmod: lkm --full, process": lambda: bench.lkm("whole", "--full"),
                "depmod: lkm full, in process": lambda: _drop(
                    run_depmod(bench.mine, full=True, index=bench.index)
                ),
                "depmod: lkm, one changed, process": lambda: bench.changed(
                    "changed", lambda: bench.lkm("changed")
                ),
                "depmod -n: kmod": lambda: bench.kmod("-n"),
                "depmod -n: lkm, process": lambda: bench.lkm("whole", "-n"),
                "depmod -n: lkm, in process": bench.texts,
                "information of all: modinfo, one call": lambda: bench.run([tool("modinfo"), *bench.files]),
                "information of all: lkm, in process": bench.information,
                "info of one: modinfo": lambda: bench.run([tool("modinfo"), one]),
                "info of one: lkm, process": lambda: bench.run([*LKM, "info", one]),
                "python -c pass": lambda: bench.run([sys.executable, "-c", "pass"]),
                "symbol: first lookup": bench.lookup,
            },
            options.runs,
        )
        run_depmod(bench.mine, full=True, index=bench.index)
        rows |= by_turns(
            {
                "depmod: lkm, one changed, in process": lambda: bench.changed(
                    "lkm", lambda: run_depmod(bench.mine, index=bench.index)
                ),
                "depmod: lkm, nothing changed, in process": lambda: _drop(
                    run_depmod(bench.mine, index=bench.index)
                ),
            },
            options.runs,
        )
        more = growth(bench, place, options.growth) if options.growth else []

        def ratio(name: str, to: str) -> float:
            return rows[name].median / rows[to].median

        targets = [
            Target("full depmod, process / kmod", ratio("depmod: lkm --full, process", "depmod: kmod"), 1.0),
            Target(
                "full depmod, in process / kmod", ratio("depmod: lkm full, in process", "depmod: kmod"), 1.0
            ),
            Target("depmod -n, process / kmod", ratio("depmod -n: lkm, process", "depmod -n: kmod"), 1.0),
            Target(
                "depmod -n, in process / kmod", ratio("depmod -n: lkm, in process", "depmod -n: kmod"), 1.0
            ),
            Target(
                "one module changed, process / kmod",
                ratio("depmod: lkm, one changed, process", "depmod: kmod"),
                0.25,
            ),
            Target(
                "one module changed, in process / kmod",
                ratio("depmod: lkm, one changed, in process", "depmod: kmod"),
                0.25,
            ),
            Target(
                "information of all / modinfo",
                ratio("information of all: lkm, in process", "information of all: modinfo, one call"),
                0.8,
            ),
            Target("first lookup of a symbol", rows["symbol: first lookup"].median * 1000, 10, "ms"),
            Target("lkm info FILE, process", rows["info of one: lkm, process"].median * 1000, 120, "ms"),
        ]
        report([*rows.values(), *more], targets, as_json=options.json)


def _drop(value: object) -> None:
    """For jobs that give something else than their own time."""


if __name__ == "__main__":
    main()
