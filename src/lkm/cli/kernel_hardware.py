# SPDX-License-Identifier: MIT
"""`lkm kernel configure --for-hardware`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lkm.cli import common
from lkm.errors import LkmError, MissingError, UsageError

if TYPE_CHECKING:
    from lkm.hardware import Root
    from lkm.kconfig.hardware import Device
    from lkm.kconfig.index import Index
    from lkm.kconfig.together import Together
    from lkm.kconfig.tree import Tree

SCHEMA = 1
_BASE = "defconfig"


def show_hardware(
    tree: Tree, place: Path, source: str, *, kernel_name: str | None, start: str, as_json: bool
) -> int:
    """The table of devices, modules and options, and the one line that turns on what is off; always 0.

    `source`: `here`, or a file or directory of another machine's; `start`: the command up to its target.
    Where `place` has no .config, values are those of the architecture's own configuration (defconfig).
    """
    from lkm.kconfig.hardware import find_drivers
    from lkm.kconfig.index import open_index
    from lkm.kernel import find_kernel
    from lkm.show.kconfig import format_hardware

    devices, root = _read_devices(source)
    kernel = find_kernel(kernel_name, need_build=False)
    if kernel.modules is None:
        raise MissingError(
            f"{kernel.name} has no modules to look the devices up in", hint="--kernel debian-amd64"
        )
    index = open_index(tree)
    with tempfile.TemporaryDirectory(prefix="lkm-") as work:
        fresh = not (place / ".config").is_file()
        output = _default_output(tree, Path(work)) if fresh else place
        text = (output / ".config").read_text(encoding="utf-8", errors="replace")
        values = _parse(text)
        drivers, without = find_drivers(devices, kernel.modules, index, values)
        needs = _read_needs(root, index, values)
        wanted = dict.fromkeys((name for name, value in needs.items() if value == "n"), "y")
        for one in sorted(drivers, key=lambda driver: driver.option):
            if one.option and one.value == "n":
                wanted.setdefault(one.option, one.least)
        together = find_line(index, output, wanted, config=text)
    if as_json:
        common.emit_json(
            {
                "schema": SCHEMA,
                "kernel": kernel.name,
                "values": _BASE if fresh else str(place / ".config"),
                "drivers": drivers,
                "without": without,
                "needs": needs,
                "settings": together.settings,
                "missed": together.missed,
            }
        )
        return 0
    common.echo_lines(
        format_hardware(drivers, without, needs, base=_BASE if fresh else "", width=common.terminal_width())
    )
    words = " ".join(map(str, together.settings))
    if together.settings or fresh:
        common.hint(f"{start} {_BASE if fresh else 'set'} {words}".rstrip())
    if together.missed:
        common.note(f"no way was found to {', '.join(together.missed)} (lkm kernel why OPTION)")
    return 0


def find_line(index: Index, output: Path, wanted: Mapping[str, str], *, config: str) -> Together:
    """What is to be set for `wanted`, confirmed by conf; where that cannot be asked, `wanted` as it is."""
    from lkm.kconfig.dotconfig import Setting
    from lkm.kconfig.together import Together, find_together

    try:
        return find_together(index, output, wanted, config=config)
    except LkmError as error:
        common.note(f"not tried by conf: {error.message}", dim=True)
        return Together(tuple(Setting(name, value) for name, value in wanted.items()), ())


def _default_output(tree: Tree, output: Path) -> Path:
    from lkm.kconfig.conf import run_target

    run_target(tree, output, _BASE)
    return output


def _parse(text: str) -> dict[str, str]:
    from lkm.kconfig.dotconfig import parse_config

    return parse_config(text)


def _read_devices(source: str) -> tuple[list[Device], Root | None]:
    """The devices, and the machine they are of: a file of aliases (`find … modalias`) tells of none.

    `source`: `here`, or what `lkm doctor --hardware --from` takes.
    """
    from lkm.hardware.devices import read_devices
    from lkm.hardware.root import HEAD, open_root
    from lkm.kconfig.hardware import Device, parse_devices
    from lkm.kconfig.hardware import read_devices as read_own_devices

    if source == "here":
        return read_own_devices(), open_root(Path("/"))
    path = Path(source)
    try:
        text = "" if path.is_dir() else path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{source}: {error.strerror}", hint="--for-hardware alone: this machine") from error
    if path.is_dir() or text.startswith(HEAD):
        root = open_root(path)
        found = (one for one in read_devices(root) if one.alias and not one.same_as)
        return list({one.alias: Device(one.alias, f"/{one.place}") for one in found}.values()), root
    return parse_devices(text, source=source), None


def _read_needs(root: Root | None, index: Index, values: Mapping[str, str]) -> dict[str, str]:
    """The options of what the machine's `/` needs, with their values: built in, or in the initramfs."""
    if root is None:
        return {}
    from lkm.hardware import read_machine
    from lkm.hardware.service import Kernel, find_needs, find_services
    from lkm.kconfig.makefiles import find_options

    machine = read_machine(root)
    kernel = Kernel(options=find_options(index), values=values)
    needs = find_needs(machine, find_services(machine, kernel), kernel)
    return {one.option.name: one.option.value for one in needs if one.option is not None and one.option.sure}
