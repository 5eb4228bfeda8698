# SPDX-License-Identifier: MIT
"""Register lines and `Code:` lines of x86_64 and arm64.

Sources: arch/x86/kernel/process_64.c __show_regs, arch/x86/kernel/dumpstack.c show_opcodes;
arch/arm64/kernel/process.c __show_regs, arch/arm64/kernel/traps.c dump_kernel_instr.
"""

from __future__ import annotations

import re

from lkm.klog.report import Code

_X86 = re.compile(r"(?:(?:[RE](?:SP|AX|BX|CX|DX|SI|DI|BP)|R\d\d|CS|FS|GS|CR[0-8]|DR[0-7]|PKRU):\s)")
_X86_VALUE = re.compile(
    r"\b([RE](?:SP|AX|BX|CX|DX|SI|DI|BP)|R\d\d|EFLAGS|ORIG_RAX|[CDEFGS]S|knlGS|CR[0-8]|DR[0-7]|PKRU):"
    r"\s*(?:([0-9a-f]{4}):)?([0-9a-f]{4,16})\b"
)
_ARM64 = re.compile(r"(?:(?:x\d{1,2}|sp|lr|pc)\s*:\s|pstate:\s)")
_ARM64_VALUE = re.compile(r"\b(x\d{1,2}|sp|lr|pc|pstate|pmr_save)\s*:\s*([0-9a-f]{8,16})\b")
# The stack pointer ends where the trace of another processor's mode begins: user space's registers.
_KERNEL_CS = {"0010", "0060"}
_X86_BYTE = re.compile(r"<?([0-9a-f]{2})>?")
_ARM64_WORD = re.compile(r"\(?([0-9a-f]{8})\)?")


def is_register_line(line: str) -> bool:
    """Whether `line` is one of a register dump."""
    return _X86.match(line) is not None or _ARM64.match(line) is not None


def parse_registers(line: str) -> dict[str, int]:
    """A line of a register dump, name in lower case to value; {} where it is something else."""
    if _ARM64.match(line):
        return {name: int(value, 16) for name, value in _ARM64_VALUE.findall(line)}
    values = {}
    if _X86.match(line):
        for name, segment, value in _X86_VALUE.findall(line):
            values[name.lower()] = int(value, 16)
            if segment:  # `RSP: 0018:ffffc900001a7c60`
                values["ss"] = int(segment, 16)
    return values


def is_kernel_segment(code_segment: str) -> bool:
    """Whether the four digits before RIP are those of the kernel's own code."""
    return code_segment in _KERNEL_CS


def parse_code(text: str) -> Code | None:
    """What follows `Code: `: bytes with the faulting one in `<>` (x86), or words with it in `()` (arm64).

    arm64's words are instructions; their bytes are given as they lie in memory (little endian); those before
    the marked one that could not be read are left out.  None where the kernel could not read that one, or the
    line is damaged.
    """
    data = bytearray()
    at = -1
    for token in text.split()[:256]:
        if token == "????????" and not data:  # arm64: before the first page that could be read
            continue
        if match := _X86_BYTE.fullmatch(token):
            if token[0] == "<":
                at = len(data)
            data.append(int(match[1], 16))
        elif match := _ARM64_WORD.fullmatch(token):
            if token[0] == "(":
                at = len(data)
            data += int(match[1], 16).to_bytes(4, "little")
        else:
            break
    return Code(bytes(data), at) if data and at >= 0 else None
