# SPDX-License-Identifier: MIT
"""Device to driver to module to option: what is there, what would serve, what `/` needs.

Which option builds a module is said by the kernel's Makefiles alone.  Without sources an option of the
module's own name that is set in the kernel's configuration is a guess, and called one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lkm.hardware.value import Device, Form, Machine
from lkm.modtree.lookup import Named, open_lookup


@dataclass(frozen=True, slots=True)
class Option:
    """An option: `value` in the kernel's configuration ("n" where it is off, "" where that is not known).

    `sure`: a Makefile says so; else its name alone speaks for it.
    """

    name: str
    value: str
    sure: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A module of a known kernel that takes the device's alias."""

    module: str
    form: Form
    option: Option | None


@dataclass(frozen=True, slots=True)
class Service:
    """A device, the module and the option of its driver; without a driver the modules that would serve it."""

    device: Device
    module: str
    option: Option | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """What the kernel must have to come to `/`: built in, or in the initramfs.

    `form`: a driver's in the running kernel, the file system's in the kernel that was asked.
    """

    what: str
    module: str
    form: Form
    option: Option | None


class Kernel:
    """What is known of one kernel: its modules, which option builds each, its configuration; all optional.

    `name`: for a person, "" where none is known; `release`: as `uname -r` gives it.  `modules`: its
    lib/modules/RELEASE.  `options`: module name to options (`kconfig.makefiles.find_options`).  `values`:
    option to value.
    """

    def __init__(
        self,
        name: str = "",
        *,
        release: str = "",
        modules: Path | None = None,
        options: Mapping[str, Sequence[str]] | None = None,
        values: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.release = name, release
        self.options = options
        self.values = values
        self.lookup = open_lookup(modules) if modules is not None else None

    def find_option(self, module: str) -> Option | None:
        """The option that builds `module`."""
        if not module:
            return None
        if self.options is not None:
            names = self.options.get(module.replace("-", "_"), ())
            # Of several the one that is on, as with drivers that two options build.
            name = next((one for one in names if self._value(one) in ("y", "m")), next(iter(names), ""))
            return Option(name, self._value(name), True) if name else None
        name = module.replace("-", "_").upper()
        for guess in (name, f"{name}_FS"):
            value = (self.values or {}).get(guess, "")
            if value in ("y", "m"):
                return Option(guess, value, False)
        return None

    def find_alias(self, alias: str) -> list[Named]:
        """The modules, loadable or built in, that take `alias`."""
        if self.lookup is None or not alias:
            return []
        # A module's own name is no alias.
        return [one for one in self.lookup.find(alias) if one.alias]

    def has_module(self, module: str) -> bool:
        """Whether there is a module of that name: the kernel has it, or its sources.

        In the sources a plain word (`serial`, `system`) may be any object; a name with more to it is the one.
        """
        if self.lookup is not None and self.lookup.find_name(module) is not None:
            return True
        if self.options is not None:
            return len(self.options.get(module, ())) == 1 and not module.isalpha()
        return self.find_option(module) is not None

    def _value(self, option: str) -> str:
        return "" if self.values is None else self.values.get(option, "n")


def find_services(machine: Machine, kernel: Kernel) -> tuple[Service, ...]:
    """The service of each device, in their order."""
    loaded = frozenset(machine.loaded)
    return tuple(_find_service(device, kernel, loaded) for device in machine.devices)


def _find_service(device: Device, kernel: Kernel, loaded: frozenset[str]) -> Service:
    if device.same_as and not device.driver:
        return Service(device, "", None, ())
    if device.form is Form.NONE:
        found = tuple(
            Candidate(
                one.name,
                Form.BUILT_IN if one.built_in else Form.MODULE,
                kernel.find_option(one.name),
            )
            for one in _find_takers(device, kernel)
        )
        return Service(device, "", None, found)
    module = device.module or _guess_module(device, kernel, loaded)
    if not device.module and module in loaded:  # not every bus links its drivers to their modules
        device = replace(device, module=module, form=Form.MODULE)
    return Service(device, module, kernel.find_option(module), ())


def _guess_module(device: Device, kernel: Kernel, loaded: frozenset[str]) -> str:
    """The module of a driver that has no link to one, as those built in mostly; "" where nothing tells.

    A driver mostly has its module's name (`i8042 kbd` in front of a blank); else the one module that takes
    the device's alias is it.
    """
    name = device.driver.partition(" ")[0].replace("-", "_")
    if name in loaded or kernel.has_module(name):
        return name
    names = [one.name for one in _find_takers(device, kernel)]
    return names[0] if len(names) == 1 else ""


def _find_takers(device: Device, kernel: Kernel) -> list[Named]:
    """The modules that take a device; one of the PnP bus has ids instead of an alias (file2alias.c)."""
    if device.bus == "pnp" and device.ids:
        return kernel.find_alias(f"pnp:d{device.ids}") or kernel.find_alias(f"acpi:{device.ids}:")
    return kernel.find_alias(device.alias)


def find_needs(machine: Machine, services: Sequence[Service], kernel: Kernel) -> tuple[Need, ...]:
    """What `/` needs: its file system, its disk's drivers up to the bus; () where `/` is on no disk."""
    root = machine.root
    if root is None:
        return ()
    disk = next((one for one in machine.disks if root in one.mounts), None)
    if disk is None:
        return ()
    by_place = {service.device.place: service for service in services}
    needs = [_need_file_system(root.type, kernel)]
    for place in disk.drivers:
        service = by_place.get(place)
        if service is not None and service.device.driver:
            device = service.device
            what = f"{device.kind or device.bus}: {device.driver}"
            needs.append(Need(what, service.module, device.form, service.option))
    return tuple({(need.module or need.what): need for need in needs}.values())


def _need_file_system(kind: str, kernel: Kernel) -> Need:
    """By the alias `fs-TYPE` that each file system's module has (include/linux/fs.h, MODULE_ALIAS_FS)."""
    found = kernel.lookup.find(f"fs-{kind}") if kernel.lookup is not None else []
    module = found[0].name if found else kind
    form = Form.MODULE if found and not found[0].built_in else Form.BUILT_IN
    return Need(f"file system: {kind}", module, form if found else Form.NONE, kernel.find_option(module))
