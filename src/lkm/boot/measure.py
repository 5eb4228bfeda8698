# SPDX-License-Identifier: MIT
"""How a kernel comes up: booted for the times, for the functions it calls, and for nothing else.

`initcall_debug` writes two lines for each function and so makes a boot longer: the phases are those of a
boot without it, the functions those of a second boot with it.  Being watched costs time too (see
`lkm.boot.watch`): a third boot says how long it takes with only its end taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lkm.boot.calls import TICK, clock_step, last_unreturned, parse_freed, parse_initcalls
from lkm.boot.clock import JOINTS, Clock, join_clocks, join_levels
from lkm.boot.origin import add_origins
from lkm.boot.points import Entry, Points, find_points
from lkm.boot.stages import FIRMWARE, INITRAMFS, INITRAMFS_END, LEVELS, PLACES, STAGES, Stage
from lkm.boot.value import Boot, Image, Phase
from lkm.boot.watch import NOTHING, Ask, Watched, watch
from lkm.errors import UsageError
from lkm.guest.identity import find_image
from lkm.guest.start import Settings, find_machine
from lkm.kernel import Kernel
from lkm.kernel.find import given_kernel
from lkm.kernel.image import read_header
from lkm.kernel.setup_header import SetupHeader
from lkm.klog import Record
from lkm.progress import Progress, Silent

BOOT_TIMEOUT = 120.0  # seconds; a big kernel under plain emulation on a busy machine
_BIOS = re.compile(r"^SeaBIOS \(version ([^)\s]{1,60})\)", re.MULTILINE)
_UNPACKING = re.compile(r"(?:Unpacking initramfs|Trying to unpack rootfs image as initramfs)\.\.\.")
# A kernel that did not come up is asked again, with all it says on the console.
_TALK = "initcall_debug ignore_loglevel earlyprintk=serial,ttyS0,115200"
_MIB = 1 << 20
_AGAIN = 10.0  # seconds that it has at least


def boot_kernel(
    kernel: Kernel | str | None = None,
    *,
    image: Path | None = None,
    initramfs: Path | None = None,
    memory: int = 256,
    cpus: int = 1,
    cmdline: str = "",
    accelerator: str | None = None,
    timeout: float = BOOT_TIMEOUT,
    debug: bool = False,
    progress: Progress | None = None,
) -> Boot:
    """Boots a kernel, or `image` of it, in a new machine and tells how it came up.

    `initramfs`: unpacked before the guest's own, whose /init runs.  `memory` is in MiB.  `debug=True` boots
    once only, with `initcall_debug`, for times that are compared with others of that sort.  `timeout`:
    seconds for each boot.  A kernel that does not come up is a result (`Boot.ending`).  Raises
    `BadInputError` where there is no image or a damaged one, `UsageError` for a kernel of another machine,
    `MissingError` without QEMU.
    """
    show = progress or Silent()
    found = given_kernel(kernel)
    path = image or find_image(found)
    if found.arch not in ("", "x86_64"):
        raise UsageError(
            f"{found.name} is for {found.arch}; boots are watched on x86_64", hint="lkm kernel list"
        )
    header = read_header(path)
    if header is not None and not isinstance(header, SetupHeader):
        raise UsageError(f"{path}: an image for arm64; boots are watched on x86_64", hint="lkm kernel list")
    show.update(f"reading {found.name}")
    points = find_points(found, path)
    machine = find_machine(Settings(found, memory=memory, cpus=cpus, accelerator=accelerator))
    ask = Ask(found, path, machine, cmdline, initramfs, timeout)
    show.update(f"booting {found.name}")
    seen = watch(ask, points, header, more="initcall_debug" if debug else "")
    boot = build_boot(ask, seen, points, header)
    if seen.ending is not None:
        show.update(f"booting {found.name} again, for its last words")
        limit = min(timeout, max(_AGAIN, 3 * max(seen.marks.values(), default=0.0)))
        return _with_last_words(boot, watch(replace(ask, timeout=limit), Points(), None, more=_TALK), points)
    if debug:
        return _with_calls(boot, seen, points, found)
    show.update(f"booting {found.name} again, with initcall_debug")
    called = watch(ask, points, None, more="initcall_debug", only=JOINTS)
    boot = _with_calls(boot, called, points, found)
    show.update(f"booting {found.name} again, unwatched")
    plain = watch(ask, points, None, only=NOTHING)
    return replace(boot, plain_total=plain.ready or 0.0)


def build_boot(ask: Ask, seen: Watched, points: Points, header: SetupHeader | None) -> Boot:
    """The boot that was watched, without its initcalls."""
    machine = ask.machine
    clock = join_clocks(seen.marks, seen.records)
    named = _BIOS.search(seen.firmware)
    firmware = f"SeaBIOS {named[1]}" if named else ""
    image = _build_image(ask.image, header, points)
    phases = build_phases(seen, image, firmware, entries=points.entries)
    aside = _initramfs(seen, clock)
    processors = "1 processor" if machine.cpus == 1 else f"{machine.cpus} processors"
    return Boot(
        kernel=ask.kernel.name,
        release=ask.kernel.release,
        image=image,
        machine=f"QEMU {machine.qemu.version}, {machine.accelerator}, {machine.memory} MiB, {processors}",
        command_line=" ".join(seen.words.split()),
        phases=(*phases, *([aside] if aside is not None else [])),
        initcalls=(),
        freed=tuple(parse_freed(seen.records)),
        log=tuple(seen.records),
        total=seen.ready if seen.ready is not None else seen.seconds,
        clock=clock.begin if clock is not None else None,
        clock_rate=clock.rate if clock is not None else None,
        firmware=firmware,
        ending=seen.ending,
        reached=phases[-1].name if seen.ending is not None else "",
        unknown=tuple(_unknown(points, header, clock)) if seen.ending is None else (),
    )


def build_phases(
    seen: Watched, image: Image, firmware: str = "", *, entries: Sequence[Entry] = ()
) -> list[Phase]:
    """The phases that were seen, each to the next one's beginning; one not seen is part of the one before."""
    packed = ""
    if image.packed:
        packed = f": {image.format}, {image.packed / _MIB:.1f} MiB to {image.unpacked / _MIB:.1f} MiB"
    begun = [(FIRMWARE, 0.0)]
    begun += [(stage, seen.marks[stage.begins]) for stage in STAGES if stage.begins in seen.marks]
    ends = [start for _, start in begun[1:]]
    ends.append(seen.ready if seen.ready is not None else max(seen.seconds, begun[-1][1]))
    return [
        Phase(
            stage.name,
            start,
            max(end, start),
            stage.what.format(packed=packed, firmware=firmware or "The firmware"),
            stage.title,
            _begins(stage, entries),
        )
        for (stage, start), end in zip(begun, ends, strict=True)
    ]


def _begins(stage: Stage, entries: Sequence[Entry]) -> str:
    """The function or place, by a name that a person can look up."""
    if stage.begins.startswith("level "):
        level = LEVELS[stage.begins.removeprefix("level ")]
        return next((entry.name for entry in entries if entry.level == level), "")
    return PLACES.get(stage.begins, stage.begins)


def _initramfs(seen: Watched, clock: Clock | None) -> Phase | None:
    """The unpacking of the initramfs, which goes on beside the rest: as watched, else as the log says."""
    start, end = seen.marks.get(INITRAMFS.begins), seen.marks.get(INITRAMFS_END)
    if clock is not None:
        if start is None:
            start = _said_at(seen.records, _UNPACKING, clock)
        if end is None:
            end = _said_at(seen.records, re.compile("Freeing initrd memory"), clock)
    if start is None or end is None:
        return None
    return Phase(INITRAMFS.name, start, end, INITRAMFS.what, INITRAMFS.title, INITRAMFS.begins, aside=True)


def _said_at(records: Sequence[Record], pattern: re.Pattern[str], clock: Clock) -> float | None:
    return next((clock.host(record.seconds) for record in records if pattern.match(record.text)), None)


def _build_image(path: Path, header: SetupHeader | None, points: Points) -> Image:
    place = points.symbols.get
    code = place("_einittext", 0) - place("_sinittext", 0)
    whole = place("__init_end", 0) - place("__init_begin", 0)
    payload = header.payload if header is not None else None
    return Image(
        str(path),
        (payload.packing or "") if payload is not None else "",
        path.stat().st_size,
        payload.size if payload is not None else 0,
        payload.unpacked if payload is not None else 0,
        max(code, 0),
        max(whole - code, 0),
    )


def _unknown(points: Points, header: SetupHeader | None, clock: Clock | None) -> list[str]:
    found = []
    if header is None:
        found.append("the image is a vmlinux, which QEMU starts as it is: no setup code, nothing to unpack")
    if not points.symbols:
        found.append(
            "the kernel has no map of its symbols (System.map, CONFIG_KALLSYMS): its own phases cannot be "
            "told apart"
        )
    elif not points.entries:
        found.append(
            "the image names no initcall table (CONFIG_KALLSYMS_ALL, System.map): levels are not known"
        )
    if clock is None:
        found.append(
            "nothing joins the kernel's clock with the host's: times in the log stand for themselves"
        )
    return found


def _with_calls(boot: Boot, seen: Watched, points: Points, kernel: Kernel) -> Boot:
    clock = join_clocks(seen.marks, seen.records)
    rate = clock.rate if clock is not None else None
    calls = add_origins(parse_initcalls(seen.records, points.entries), kernel)
    rates = join_levels(seen.marks, calls, seen.records)
    calls = [replace(one, seconds=one.seconds * rates.get(one.level, rate or 1.0)) for one in calls]
    unknown = list(boot.unknown)
    if seen.ending is not None:
        unknown.append("with initcall_debug it did not come up: which functions it calls is not known")
    elif clock_step(calls) >= TICK:
        unknown.append(
            f"how long a quick initcall takes: this kernel's clock moves in steps of "
            f"{clock_step(calls) * 1000:.0f} ms as it comes up (no usable time stamp counter)"
        )
    elif calls and rate is None:
        unknown.append("how fast the kernel's clock runs: the initcalls' times are by that clock")
    elif not calls:
        unknown.append("with initcall_debug the kernel names no function (CONFIG_PRINTK)")
    return replace(
        boot,
        initcalls=tuple(calls),
        debug_total=seen.ready or 0.0,
        unknown=tuple(unknown),
    )


def _with_last_words(boot: Boot, seen: Watched, points: Points) -> Boot:
    """What a kernel that did not come up says at its end, with everything on the console."""
    if seen.ending is None:
        return replace(boot, unknown=("booted again, with initcall_debug, it came up",))
    calls = parse_initcalls(seen.records, points.entries)
    last = last_unreturned(calls)
    return replace(
        boot,
        initcalls=tuple(calls),
        log=tuple(seen.records) or boot.log,
        ending=seen.ending if seen.ending.words or not boot.ending else boot.ending,
        last_call=last.name if last is not None else "",
    )
