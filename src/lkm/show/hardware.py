# SPDX-License-Identifier: MIT
"""A machine's hardware for a person, in the columns there are, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from lkm.show.info import printable
from lkm.show.size import format_size

if TYPE_CHECKING:
    from lkm.hardware.report import Report
    from lkm.hardware.service import Option, Service
    from lkm.hardware.value import Cache, Disk, Machine

SCHEMA = 1
_LABEL = 12
_ALIKE = 4  # from so many on, devices that differ in nothing but their names share a row
# Buses whose devices are always shown; of others those with a driver, or that some module would serve.
_SHOWN = ("pci", "usb", "virtio", "scsi", "mmc", "sdio")
_TITLES = {
    "pci": "PCI",
    "usb": "USB",
    "acpi": "ACPI",
    "pnp": "PnP",
    "scsi": "SCSI",
    "i2c": "I2C",
    "hid": "HID",
}
Row = tuple[str, str, str]


def hardware_json(report: Report, kvm: str) -> dict[str, Any]:
    """The object of `lkm doctor --hardware --json`; sizes in bytes, a device stands in its service."""
    machine = asdict(report.machine)
    del machine["devices"]
    return {
        "schema": SCHEMA,
        "machine": machine,
        "kvm": kvm or None,
        "kernel": report.kernel or None,
        "running": report.running,
        "sources": report.sources or None,
        "services": [asdict(one) for one in report.services],
        "needs": [asdict(one) for one in report.needs],
    }


def hardware_lines(report: Report, *, kvm: str = "", width: int = 80, every: bool = False) -> Iterator[str]:
    """All of it; `every`: devices without a driver on any bus, too, and each of the processor's flags.

    `kvm`: a text about it, where it is this machine.
    """
    machine = report.machine
    for label, texts in _facts(report, kvm, every=every):
        for number, text in enumerate(_wrap(texts, width - _LABEL)):
            yield f"{label if number == 0 else '':{_LABEL}}{text}".rstrip()
    yield from _table("disks", ("", "drivers", "mounted"), _disk_rows(machine), width)
    if machine.nodes:
        yield from _table("for programs", ("", "driver", ""), list(_node_rows(report)), width)
    hidden = []
    for bus in dict.fromkeys(service.device.bus for service in report.services):
        ours = [service for service in report.services if service.device.bus == bus]
        shown = [one for one in ours if every or _is_shown(one)]
        hidden += [one for one in ours if one not in shown]
        if shown:
            title = _TITLES.get(bus, bus)
            yield from _table(title, ("", "driver", "option"), list(_device_rows(shown, every=every)), width)
    if hidden:
        counts: dict[str, int] = {}
        for one in hidden:
            counts[one.device.bus] = counts.get(one.device.bus, 0) + 1
        text = ", ".join(f"{count} on {_TITLES.get(bus, bus)}" for bus, count in counts.items())
        yield f"without a driver, and none known for them: {text} (--all)"
    yield from _needs(report, width)


def next_command(report: Report, *, here: bool) -> str:
    """What to type for the devices without a driver; "" where nothing would serve any of them.

    `here`: it is this machine; a module of the kernel it runs need only be loaded.
    """
    found = [one for service in report.services for one in service.candidates]
    if not found:
        return ""
    modules = dict.fromkeys(one.module for one in found if one.form.value == "module")
    if here and report.running and modules:
        return f"modprobe -a {' '.join(modules)}"
    options = (one.option for one in found)
    names = dict.fromkeys(f"{one.name}=m" for one in options if one is not None and one.value == "n")
    if names and report.sources:
        return f"lkm kernel configure -O DIR set {' '.join(names)}"
    where = "" if here else f" {report.machine.source}"
    return f"lkm kernel configure -O DIR --for-hardware{where}"


def missing_options(report: Report) -> list[str]:
    """`NAME=y` of each option without which the known kernel would not come to `/`, where sources say so."""
    options = (need.option for need in report.needs)
    return [f"{one.name}=y" for one in options if one is not None and one.sure and one.value == "n"]


def _facts(report: Report, kvm: str, *, every: bool) -> Iterator[tuple[str, list[str]]]:
    machine = report.machine
    cpu, memory, firmware = machine.cpu, machine.memory, machine.firmware
    counts = [_count(cpu.threads, "thread"), _count(cpu.cores, "core"), _count(cpu.sockets, "socket")]
    yield (
        "CPU",
        [f"{printable(cpu.model) or 'unknown'}{f', {cpu.arch}' if cpu.arch else ''}: {', '.join(counts)}"],
    )
    if cpu.caches:
        yield "", [_caches(cpu.caches)]
    for flag, meaning in cpu.notable if every else ():
        yield "", [f"{flag}: {meaning}"]
    if cpu.notable and not every:
        yield "", [" ".join(flag for flag, _ in cpu.notable)]
    bad = [(name, text) for name, text in cpu.weaknesses if text.startswith("Vulnerable")]
    mended = [name for name, text in cpu.weaknesses if text.startswith("Mitigation")]
    for name, text in cpu.weaknesses if every else bad:
        yield "", [f"{name}: {printable(text)}"]
    if mended and not every:
        yield "", [f"mitigated: {', '.join(mended)}"]
    if kvm:
        yield "KVM", [kvm]
    yield "memory", [_memory(machine)]
    if len(memory.nodes) > 1:
        yield "", ["; ".join(f"{name} {format_size(size)}" for name, size in memory.nodes)]
    yield "firmware", _firmware(machine)
    for label, text in firmware.fields:
        yield "", [f"{label}: {printable(text)}"]
    if firmware.denied:
        yield "", [f"for root only: {', '.join(firmware.denied)}"]
    yield "kernel", [_kernel(report)]


def _firmware(machine: Machine) -> list[str]:
    firmware = machine.firmware
    words = [firmware.kind]
    if firmware.secure_boot:
        words.append(f"Secure Boot {firmware.secure_boot}")
    if firmware.lockdown:
        words.append(f"lockdown {firmware.lockdown}")
    words.append(
        f"virtual machine: {printable(firmware.hypervisor)}" if firmware.hypervisor else "no virtual machine"
    )
    return [", ".join(words)]


def _kernel(report: Report) -> str:
    asked = (
        f"modules and values of {report.kernel}"
        if report.kernel
        else "no kernel's modules are known (--kernel NAME)"
    )
    sources = f"options by {report.sources}" if report.sources else "options by name (?: --tree DIR is sure)"
    return f"{printable(report.machine.release) or 'unknown'}; {asked}; {sources}"


def _memory(machine: Machine) -> str:
    memory = machine.memory
    if not memory.total:
        return "unknown"
    swap = f"{format_size(memory.swap)} swap" if memory.swap else "no swap"
    text = f"{format_size(memory.total)}, {format_size(memory.available)} available, {swap}"
    if memory.huge_pages:
        text += f", {memory.huge_pages} huge pages of {format_size(memory.huge_page)}"
    return text + (f", transparent huge pages: {memory.transparent}" if memory.transparent else "")


def _caches(caches: Sequence[Cache]) -> str:
    words = []
    for cache in caches:
        kind = f" {cache.kind.lower()}" if cache.kind in ("Data", "Instruction") else ""
        size = f" {cache.size}" if cache.size else ""
        words.append(f"L{cache.level}{size}{kind}")
    return f"caches: {', '.join(words)}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _disk_rows(machine: Machine) -> list[Row]:
    names = {device.place: device.driver for device in machine.devices}
    return [_disk_row(disk, names) for disk in machine.disks]


def _disk_row(disk: Disk, names: dict[str, str]) -> Row:
    kind = "rotating" if disk.rotational and disk.transport not in ("virtio", "usb") else ""
    words = [format_size(disk.size), disk.transport, disk.model, kind]
    words += ["removable"] if disk.removable else []
    words += ["read-only"] if disk.read_only else []
    chain = dict.fromkeys(names[place] for place in disk.drivers if names.get(place) not in (None, "usb"))
    mounts = ", ".join(f"{one.where} ({one.type})" for one in disk.mounts[:3])
    more = f" and {len(disk.mounts) - 3} more" if len(disk.mounts) > 3 else ""
    return f"{disk.name}  {' '.join(word for word in words if word)}", " < ".join(chain), mounts + more


def _node_rows(report: Report) -> Iterator[Row]:
    names = {device.place: device.driver for device in report.machine.devices}
    for node in report.machine.nodes:
        driver = names.get(node.device, "") if node.device else "the kernel itself"
        yield f"{node.kind}  {node.name}  {printable(node.text)}".rstrip(), driver, ""


def _is_shown(service: Service) -> bool:
    device = service.device
    # An ACPI device mostly stands for one on another bus, and its driver is there.
    return bool(device.driver or service.candidates or device.bus in _SHOWN)


def _device_rows(services: Sequence[Service], *, every: bool) -> Iterator[Row]:
    """A row each; of many that differ in name alone (virtio_mmio's slots) the first, with their number."""
    rows = [(_device_row(one), _device_name(one)) for one in services]
    keys = [(row[0].removeprefix(name), *row[1:]) for row, name in rows]
    told = set()
    for key, (row, name) in zip(keys, rows, strict=True):
        count = 1 if every else keys.count(key)
        if count < _ALIKE:
            yield row
        elif key not in told:
            told.add(key)
            yield (f"{name} ×{count}{key[0]}", *row[1:])


def _device_name(service: Service) -> str:
    name = service.device.name
    return printable(name.removeprefix("0000:") if service.device.bus == "pci" else name)


def _device_row(service: Service) -> Row:
    device = service.device
    what = [_device_name(service), device.kind, device.title or device.ids]
    left = "  ".join(printable(word) for word in what if word)
    if device.driver:
        known = (
            f" of {service.module}"
            if service.module.replace("_", "-") != device.driver.replace("_", "-")
            else ""
        )
        module = known if service.module else ""
        return left, f"{device.driver}{module} ({device.form.value})", _option(service.option)
    if service.candidates:
        names = " or ".join(one.module for one in service.candidates)
        return left, f"none; would be {names}", _option(service.candidates[0].option)
    return left, "none", ""


def _option(option: Option | None) -> str:
    if option is None:
        return "-"
    return f"{option.name}{f'={option.value}' if option.value else ''}{'' if option.sure else ' ?'}"


def _needs(report: Report, width: int) -> Iterator[str]:
    if report.machine.root is None or not report.needs:
        return
    rows = [(need.what, need.module or "?", _option(need.option)) for need in report.needs]
    title = f"to come to / ({printable(report.machine.root.source)}), built in or in the initramfs"
    yield from _table(title, ("", "module", "option"), rows, width)


def _table(title: str, heads: Row, rows: Sequence[Row], width: int) -> Iterator[str]:
    """Three columns: the first gives way; the others up to a third of the width each.  What is longer than
    its column goes on below.
    """
    if not rows:
        return
    third = max(20, width // 3)
    widths = [min(third, max(len(row[at]) for row in (heads, *rows))) for at in (1, 2)]
    first = max(16, width - sum(widths) - 2 - 2 * sum(1 for one in widths if one))
    first = min(first, max(len(title) - 2, *(len(row[0]) for row in rows)))
    yield ""
    yield f"{title:{first + 2}}  {heads[1]:{widths[0]}}  {heads[2]}".rstrip()
    for row in rows:
        cells = [_fold(row[0], first), _fold(row[1], widths[0]), _fold(row[2], widths[1])]
        for parts in zip_longest(*cells, fillvalue=""):
            yield f"  {parts[0]:{first}}  {parts[1]:{widths[0]}}  {parts[2]}".rstrip()


def _fold(text: str, width: int) -> list[str]:
    import textwrap

    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)


def _wrap(texts: Sequence[str], width: int) -> Iterator[str]:
    import textwrap

    for text in texts:
        yield from textwrap.wrap(text, max(20, width), break_on_hyphens=False) or [""]
