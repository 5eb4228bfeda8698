# SPDX-License-Identifier: MIT
"""The stages of a boot in their order, each with the place in the kernel where it begins.

Sources: arch/x86/boot/header.S, arch/x86/boot/compressed/head_64.S, arch/x86/kernel/head_64.S,
init/main.c (start_kernel, rest_init, kernel_init, kernel_init_freeable, do_initcalls),
include/linux/init.h (the levels), init/initramfs.c; of Linux 6.1, 6.12 and 7.3.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """`begins`: a symbol; `@setup`, `@decompressor`, `@entry`: a place of the boot protocol; `level N`: the
    first function of a level; `@agent`: the first process's first instruction."""

    name: str
    begins: str
    title: str
    what: str


# The name that the linker gives a level's beginning, and the one that people use.
LEVELS = {
    "": "early",
    "0": "pure",
    "1": "core",
    "2": "postcore",
    "3": "arch",
    "4": "subsys",
    "5": "fs",
    "rootfs": "rootfs",
    "6": "device",
    "7": "late",
}

CONSOLE = "console"  # console_initcall(), called by console_init() before the others

# Places of the boot protocol, by their names in the kernel's sources; all x86_64.
PLACES = {
    "@setup": "_start (arch/x86/boot/header.S)",
    "@decompressor": "startup_32 (arch/x86/boot/compressed/head_64.S)",
    "@entry": "startup_64 (arch/x86/kernel/head_64.S)",
    "@agent": "the first instruction of /init",
}

FIRMWARE = Stage(
    "firmware",
    "",
    "Firmware",
    "{firmware} finds memory and devices and writes the tables that describe them (ACPI, e820). There is no "
    "disk and no boot loader: a small program of QEMU's (an option ROM) copies kernel, initramfs and command "
    "line into memory and jumps to the kernel.",
)
STAGES = (
    Stage(
        "setup",
        "@setup",
        "Real-mode setup",
        "The kernel's first code, 16 bits wide, asks the firmware how much memory there is and switches the "
        "processor to protected mode.",
    ),
    Stage(
        "decompress",
        "@decompressor",
        "Decompression",
        "A small program in front of the packed kernel switches to 64 bits and unpacks vmlinux{packed}.",
    ),
    Stage(
        "head",
        "@entry",
        "First 64-bit code",
        "The unpacked kernel builds its page tables, clears its variables and jumps to C.",
    ),
    Stage(
        "arch",
        "start_kernel",
        "start_kernel: the machine",
        "The first C function for all machines. It reads the command line, and setup_arch() the memory map, "
        "the processor's abilities and the ACPI tables.",
    ),
    Stage(
        "memory",
        "trap_init",
        "start_kernel: memory",
        "Traps get their handlers; the page allocator takes over all free memory, and kmalloc() works from "
        "here on.",
    ),
    Stage(
        "core",
        "sched_init",
        "start_kernel: core",
        "Scheduler, RCU, interrupts, timers, the console, the caches for files and processes: one processor, "
        "one thread, and nothing sleeps yet.",
    ),
    Stage(
        "threads",
        "rest_init",
        "First threads",
        "start_kernel() becomes the idle thread; kernel_init (process 1) and kthreadd (2) begin, and "
        "process 1 does the rest.",
    ),
    Stage(
        "early",
        "level ",
        "Initcalls: early",
        "early_initcall() functions, before other processors run: threads for RCU and soft interrupts.",
    ),
    Stage(
        "smp",
        "smp_init",
        "Processors, driver core",
        "The other processors are woken; then the driver core, with /sys and devtmpfs under it.",
    ),
    Stage("pure", "level 0", "Initcalls: pure", "pure_initcall(): variables that need nothing else."),
    Stage(
        "core-calls",
        "level 1",
        "Initcalls: core",
        "core_initcall(): what others build on: sockets, sysfs parts, bus types.",
    ),
    Stage(
        "postcore",
        "level 2",
        "Initcalls: postcore",
        "postcore_initcall(): buses and classes: PCI, backlight, tty.",
    ),
    Stage(
        "arch-calls",
        "level 3",
        "Initcalls: arch",
        "arch_initcall(): what belongs to this kind of machine: ACPI, PCI access.",
    ),
    Stage(
        "subsys",
        "level 4",
        "Initcalls: subsys",
        "subsys_initcall(): whole subsystems: ACPI devices, PCI, USB, SCSI, block, crypto.",
    ),
    Stage(
        "fs",
        "level 5",
        "Initcalls: fs",
        "fs_initcall(): file systems and the network's protocols; the clock source is chosen.",
    ),
    Stage(
        "rootfs",
        "level rootfs",
        "Initcalls: rootfs",
        "rootfs_initcall(): unpacking of the initramfs is started, in a thread of its own.",
    ),
    Stage(
        "device",
        "level 6",
        "Initcalls: device",
        "device_initcall(), and module_init() of whatever is built in: the drivers.",
    ),
    Stage(
        "late",
        "level 7",
        "Initcalls: late",
        "late_initcall(): what needs all drivers to be there. Afterwards the initramfs is waited for.",
    ),
    Stage(
        "console",
        "console_on_rootfs",
        "Console opened",
        "/dev/console becomes input and output of the first process.",
    ),
    Stage(
        "free",
        "free_initmem",
        "Init memory freed",
        "All that is marked __init was needed once: its pages are given back. Code becomes read-only.",
    ),
    Stage(
        "exec",
        "run_init_process",
        "First process",
        "The kernel runs /init of the initramfs: execve() within process 1.",
    ),
    Stage(
        "agent",
        "@agent",
        "Agent",
        "/init is lkm's agent: it mounts /proc, /sys and /dev, opens its channel and says READY. A system's "
        "own init would start services here.",
    ),
)
INITRAMFS = Stage(
    "initramfs",
    "do_populate_rootfs",
    "Initramfs unpacked",
    "A thread of the kernel's unpacks the cpio archive into the root file system, while initcalls go on.",
)
INITRAMFS_END = "free_initrd_mem"

# What is given back, by the kernel's words for it; the first that begins so.
FREED = (
    ("unused kernel image (initmem)", "__init functions and __initdata: needed once, at boot"),
    ("unused kernel image (text/rodata", "padding between code and constants, to the next 2 MiB"),
    ("unused kernel image (rodata/data", "padding between constants and data, to the next 2 MiB"),
    ("unused kernel image", "__init functions and __initdata: needed once, at boot"),
    ("unused kernel", "__init functions and __initdata: needed once, at boot"),
    ("initrd", "the packed initramfs: its files are in the page cache now"),
    ("SMP alternatives", "locked variants of instructions, not needed on one processor"),
    ("unused decrypted", "memory for encrypted guests to share with their host, not needed here"),
)


def freed_means(what: str) -> str:
    """One line on memory that was given back, "" where it is not known here."""
    return next((means for begin, means in FREED if what.startswith(begin)), "")
