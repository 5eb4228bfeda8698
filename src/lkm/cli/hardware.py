# SPDX-License-Identifier: MIT
"""`lkm doctor --hardware`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.cli import common
from lkm.errors import LkmError, UsageError

if TYPE_CHECKING:
    from lkm.hardware import Machine
    from lkm.hardware.service import Kernel
    from lkm.kconfig.index import Index
    from lkm.kconfig.tree import Tree
    from lkm.kernel import Kernel as BootKernel


def read_recorder() -> str:
    """The script that writes down another machine's hardware."""
    return files("lkm.hardware").joinpath("record.sh").read_text(encoding="utf-8")


def show_hardware(
    *,
    place: Path | None,
    kernel_name: str | None,
    tree_name: str | None,
    every: bool,
    as_json: bool,
) -> int:
    """Reads the machine at `place` (default: this one), asks a kernel and sources, prints; always 0."""
    from lkm.hardware import open_root, read_machine
    from lkm.hardware.report import build_report
    from lkm.show.hardware import hardware_json, hardware_lines, missing_options, next_command

    root = open_root(place or Path("/"))
    machine = read_machine(root)
    kernel, sources, own = _find_knowledge(machine, kernel_name, tree_name)
    report = build_report(machine, kernel, sources=sources)
    kvm = _kvm() if root.here else ""
    if as_json:
        common.emit_json(hardware_json(report, kvm))
        return 0
    # Where nobody looks a row is a line, so that grep finds all of it.
    width = common.terminal_width() if sys.stdout.isatty() else sys.maxsize
    common.echo_lines(hardware_lines(report, kvm=kvm, width=width, every=every))
    missing = missing_options(report)
    if missing:
        words = missing if own is None else _words_for(own, missing)
        build = "DIR" if own is None else own.build
        common.hint(f"for a kernel that comes to /: lkm kernel configure -O {build} set {' '.join(words)}")
    next_step = next_command(report, here=root.here)
    if next_step:
        common.hint(f"for the devices without a driver: {next_step}")
    return 0


@dataclass(frozen=True, slots=True)
class _Own:
    """A kernel of one's own: its build directory, its configuration file, what its sources' options are."""

    build: Path
    config: Path
    index: Index


def _words_for(own: _Own, missing: list[str]) -> list[str]:
    """`NAME=y` for what is missing, and before it what that needs."""
    from lkm.cli.kernel_hardware import find_line

    wanted = dict.fromkeys((word.partition("=")[0] for word in missing), "y")
    together = find_line(own.index, own.build, wanted, config=own.config.read_text(encoding="utf-8"))
    return [*map(str, together.settings), *(f"{name}=y" for name in together.missed)]


def _find_knowledge(
    machine: Machine, kernel_name: str | None, tree_name: str | None
) -> tuple[Kernel, str, _Own | None]:
    """What is known of the kernel that is named, else of the one that runs, else of the default one."""
    from lkm.hardware.service import Kernel
    from lkm.kconfig.dotconfig import read_config
    from lkm.kconfig.index import open_index
    from lkm.kconfig.makefiles import find_options
    from lkm.kconfig.tree import find_source, read_tree

    found = _find_kernel(machine, kernel_name)
    values, options, sources, own = None, None, "", None
    if found is not None and found.config is not None:
        values = read_config(found.config)
    # A build directory knows its sources; a headers package has Kconfig files, and no driver's Makefile.
    source = find_source(found.build) if found is not None and found.build is not None else None
    whole = source is not None and (source / "drivers/net/Makefile").is_file()
    if tree_name is not None:
        from lkm.cli.kernel_tree import find_tree

        tree: Tree | None = find_tree(tree_name, Path.cwd())
    else:
        tree = read_tree(source) if source is not None and whole else None
    if tree is not None:
        index = open_index(tree)
        options = find_options(index)
        sources = f"Linux {tree.version}'s Makefiles"
        if found is not None and found.build is not None and found.config is not None and whole:
            own = _Own(found.build, found.config, index)
    if found is None:
        return Kernel(options=options), sources, own
    return (
        Kernel(found.name, release=found.release, modules=found.modules, options=options, values=values),
        sources,
        own,
    )


def _find_kernel(machine: Machine, kernel_name: str | None) -> BootKernel | None:
    from lkm.kernel import find_kernel, list_kernels

    if kernel_name is not None:
        return find_kernel(kernel_name, need_build=False)
    arch = machine.cpu.arch
    here = [kernel for kernel in list_kernels() if kernel.modules is not None and kernel.arch == arch]
    same = next((kernel for kernel in here if kernel.release == machine.release), None)
    if same is not None:
        return same
    try:
        default = find_kernel(fetch=False, need_build=False)
    except LkmError:
        default = None
    if default is not None and default.arch == arch:
        return default
    return here[0] if here else None


def _kvm() -> str:
    from lkm.doctor import examine_kvm

    return examine_kvm().text


def check_alone(hardware: bool, **others: object) -> None:
    """Raises `UsageError` for an option that --hardware alone takes."""
    for name, value in others.items():
        if value and not hardware:
            raise UsageError(f"--{name} goes with --hardware", hint=f"lkm doctor --hardware --{name} …")
