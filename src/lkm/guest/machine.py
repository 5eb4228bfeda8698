# SPDX-License-Identifier: MIT
"""The virtual machine: which QEMU, and the command line that makes one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lkm.guest.channel import WINDOW
from lkm.guest.qemu import Qemu

# Where the channel's window lies: QEMU puts a memory device above 4 GiB and the memory there, at a
# multiple of 1 GiB.  From 3.5 GiB on, all but 3 GiB lies there (hw/i386/pc_piix.c, pc_init1; pc.c,
# pc_memory_init).
_SPLIT_FROM, _BELOW = 3584, 3072  # MiB
BELL_PORT = 0xE9  # agent/arch_x86_64.h

# Each word with its reason.  All of them shape the template, so they are part of its key.
COMMAND_LINE = (
    "console=ttyS0",  # the kernel's last words, where the agent can say nothing any more
    "console_msg_format=syslog",  # with their levels
    "quiet",  # the boot is not shown: each character costs
    "panic=-1",  # a panic ends the guest at once
    "unknown_nmi_panic",  # an NMI from outside makes a hanging kernel say where it hangs
    "printk.devkmsg=on",  # no rate limit for what programs write to the log
    "acpi_no_memhotplug",  # the channel's window is not to be used as memory
    "swiotlb=noforce",  # memory above 4 GiB would cost 64 MiB of bounce buffers, zeroed at boot
    "nokaslr",  # the same addresses in every template, so oopses can be compared
    "tsc=reliable",  # no calibration and no watchdog over emulated clocks
    "no_timer_check",  # the timer of an emulated machine is as it should be
    "cryptomgr.notests",  # half a second of self-tests at boot; the agent turns them on again for modules
    "log_buf_len=2M",  # a flood of messages is not lost before the agent has read it
    "psi=0",  # pressure accounting runs at each change of task
    "nowatchdog",  # a busy host is not a soft lockup; hangs are found from outside
    "rcupdate.rcu_expedited=1",  # unloading waits for grace periods
)
# Under plain emulation, of a guest that is not saved.  The first clock that is found stays: a second after
# its drivers began the kernel would measure the TSC again and change clocks (tsc_refine_calibration_work),
# whatever else is quick; the agent need not wait for that then.  Clones go without: as long as an initcall is
# refused, the name of each module's is looked up, 3 ms.
_ONE_CLOCK = ("initcall_blacklist=init_tsc_clocksource", "lkm_clock=first")


@dataclass(frozen=True, slots=True)
class Machine:
    """What is emulated: `memory` in MiB; `accelerator` is `tcg` or `kvm`."""

    qemu: Qemu
    accelerator: str
    memory: int
    cpus: int

    @property
    def cpu(self) -> str:
        """The processor's model."""
        return "host" if self.accelerator == "kvm" else "max,la57=off"

    @property
    def window(self) -> int:
        """Physical address of the channel's window, in bytes."""
        above = self.memory - _BELOW if self.memory >= _SPLIT_FROM else 0
        return (4096 + -(-above // 1024) * 1024) << 20


@dataclass(frozen=True, slots=True)
class Ends:
    """File descriptors that QEMU inherits, and is told by number."""

    window: int
    bell: int
    monitor: int
    console: int
    resets: int


def build_argv(machine: Machine, ends: Ends, memory: str) -> list[str]:
    """QEMU's command line without what tells a boot from a clone; `memory` describes the backend `ram`.

    No network, no disk, no user configuration, nothing of the host's that the guest could write but its
    own window.  No PCI slots to plug into while it runs: their ACPI code takes the kernel 0.2 s at boot.
    """
    words = f"""
        -no-reboot
        -machine pc,usb=off,vmport=off,smm=off,hpet=off,graphics=off,memory-backend=ram
        -global PIIX4_PM.acpi-root-pci-hotplug=off
        -global PIIX4_PM.acpi-pci-hotplug-with-bridge-support=off
        -accel {machine.accelerator} -cpu {machine.cpu} -smp {machine.cpus}
        -m {machine.memory}M,slots=1,maxmem={machine.memory + (WINDOW >> 20)}M
        -object {memory},id=ram,size={machine.memory}M
        -object memory-backend-file,id=window,size={WINDOW},mem-path=/proc/self/fd/{ends.window},share=on
        -device pc-dimm,memdev=window,addr={machine.window:#x}
        -chardev file,id=console,path=/proc/self/fd/{ends.console} -serial chardev:console
        -chardev socket,id=bell,fd={ends.bell} -device isa-debugcon,iobase={BELL_PORT:#x},chardev=bell
        -chardev socket,id=monitor,fd={ends.monitor} -mon chardev=monitor,mode=control
        -d cpu_reset -D /proc/self/fd/{ends.resets}
    """
    return [*machine.qemu.argv, *words.split()]


def build_command_line(machine: Machine, more: str = "", *, saved: bool = True) -> str:
    """The kernel's command line, with `more` words at its end; `saved`: of what will be a template."""
    words = [*COMMAND_LINE, f"lkm_window={machine.window:#x}"]
    emulated = machine.accelerator == "tcg"
    words += _ONE_CLOCK if emulated and not saved else ()
    if emulated and machine.cpus == 1:
        # A lock prefix costs one emulated processor nothing; to take each out, the kernel changes its page
        # tables twice, thousands of times (alternatives_smp_unlock, text_poke).
        words.append("noreplace-smp")
    if machine.cpus == 1:
        words.append("nolapic_timer")  # the PIT does as well, and need not be measured for 0.15 s at boot
    else:
        words.append("panic_print=64")  # a hang says where on each processor (SYS_INFO_ALL_CPU_BT)
        # A processor with its interrupts off is stopped by an NMI and not waited for, a second (panic()).
        words.append("crash_kexec_post_notifiers")
    # The agent turns it on, once it has what it would be kept from: /dev/mem and an I/O port.
    given = [f"lkm_{word}" if word.startswith("lockdown=") else word for word in more.split()]
    return " ".join([*words, *given])


def escape(value: Path | str) -> str:
    """A value inside one of QEMU's comma-separated options."""
    return str(value).replace(",", ",,")
