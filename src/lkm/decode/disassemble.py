# SPDX-License-Identifier: MIT
"""The instructions around a fault, from the bytes that the kernel printed (`Code:`)."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, NamedTuple

from lkm.decode.value import Instruction
from lkm.klog.report import Code

_BEFORE, _AFTER = 4, 2
_JUMP, _CALL = 1, 2  # CS_GRP_JUMP, CS_GRP_CALL
_TARGET = re.compile(r"(?<![\w(*])#?(0x[0-9a-f]+|\d+)$")
_FULL = (1 << 64) - 1


class Memory(NamedTuple):
    """An operand in memory: `displacement(base,scaled,scale)`; registers by their full names, "" for none."""

    base: str
    scaled: str
    scale: int
    displacement: int


class Disassembly(NamedTuple):
    """`registers`: those that the faulting instruction names, by their full names (`rax` for `eax`).

    `name`: the instruction without its operands, the size's letter included (`movq`).  `target`: where a
    direct call or jump goes, relative to the instruction; None for all else.
    """

    instructions: tuple[Instruction, ...]
    name: str = ""
    registers: tuple[str, ...] = ()
    memory: Memory | None = None
    target: int | None = None


def disassemble(code: Code, arch: str, *, within: int = 0) -> Disassembly:
    """The faulting instruction between some of its neighbours; empty for an arch that is not known here.

    `arch`: as `uname -m` says it; "" is taken for x86_64.  `within`: bytes from the function's beginning to
    the faulting instruction, 0 where not known: no instruction begins in the middle of what is before it.
    """
    capstone: Any = import_module("capstone")  # 35 ms, at crashes alone; it has no type hints
    engine = _engine(capstone, arch)
    if engine is None:
        return Disassembly(())
    marked = next(engine.disasm(code.data[code.at :], 0, 1), None)
    if marked is None:
        return Disassembly(())
    begin = _first(engine, code, within if arch != "aarch64" else 4)
    before = list(engine.disasm(code.data[begin : code.at], begin - code.at))[-_BEFORE:]
    after = list(engine.disasm(code.data[code.at :], 0, 1 + _AFTER))
    return Disassembly(
        tuple(Instruction(_signed(one.address), bytes(one.bytes), _text(one)) for one in [*before, *after]),
        marked.mnemonic,
        *_operands(capstone, engine, marked),
    )


def _engine(capstone: Any, arch: str) -> Any:
    if arch in {"", "x86_64"}:
        engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        # AT&T's, as the kernel's own sources, scripts/decodecode and objdump write it.
        engine.syntax = capstone.CS_OPT_SYNTAX_ATT
    elif arch in {"i686", "i386"}:
        engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32)
        engine.syntax = capstone.CS_OPT_SYNTAX_ATT
    elif arch in {"aarch64", "arm64"}:
        engine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    else:
        return None
    engine.detail = True
    return engine


def _first(engine: Any, code: Code, within: int) -> int:
    """Where in the bytes an instruction begins from which the faulting one is reached."""
    begins = [code.at - within] if 0 < within <= code.at else []
    for begin in begins + list(range(code.at)):
        size: int = sum(row[1] for row in engine.disasm_lite(code.data[begin : code.at], begin))
        if begin + size == code.at:
            return begin
    return code.at


def _signed(address: int) -> int:
    return address - (1 << 64) if address >= 1 << 63 else address


def _text(one: Any) -> str:
    """As objdump writes it; where a jump goes, counted from the faulting instruction."""
    operands = one.op_str
    if one.group(_JUMP) or one.group(_CALL):
        operands = _TARGET.sub(lambda match: f".{_signed(int(match[1], 16) & _FULL):+#x}", operands)
    return f"{one.mnemonic} {operands}".strip()


def _operands(capstone: Any, engine: Any, one: Any) -> tuple[tuple[str, ...], Memory | None, int | None]:
    registers: dict[str, None] = {}
    memory, target = None, None
    is_arm = engine.arch == capstone.CS_ARCH_ARM64
    for operand in one.operands:
        if operand.type == capstone.CS_OP_REG:
            if operand.access == capstone.CS_AC_WRITE:
                continue  # what it held before does not matter
            registers.setdefault(full_name(engine.reg_name(operand.reg)))
        elif operand.type == capstone.CS_OP_MEM or (is_arm and operand.type == capstone.arm64.ARM64_OP_MEM):
            base = full_name(engine.reg_name(operand.mem.base) or "")
            scaled = full_name(engine.reg_name(operand.mem.index) or "")
            for name in (base, scaled):
                if name:
                    registers.setdefault(name)
            scale = 1 if is_arm else operand.mem.scale
            memory = Memory(base, scaled, scale, _signed(operand.mem.disp & _FULL))
        elif operand.type == capstone.CS_OP_IMM and one.group(_CALL):
            target = _signed(operand.imm & _FULL)
    if memory is None and one.mnemonic.startswith(("stos", "movs", "lods", "scas", "cmps", "rep")):
        for name in ("rdi", "rsi"):
            registers.setdefault(name)
    return tuple(registers), memory, target


_X86_WIDE = {
    **{name: f"r{name}" for name in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")},
    **{f"e{name}": f"r{name}" for name in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")},
    **{f"{name}l": f"r{name}x" for name in "abcd"},
    **{f"{name}h": f"r{name}x" for name in "abcd"},
    **{f"{name}l": f"r{name}" for name in ("si", "di", "bp", "sp")},
    **{f"r{number}{end}": f"r{number}" for number in range(8, 16) for end in "dwb"},
}


def full_name(register: str) -> str:
    """The whole of a register, as reports name it: `rax` for `eax`, `x3` for `w3`."""
    if register[:1] == "w" and register[1:].isdigit():
        return f"x{register[1:]}"
    return _X86_WIDE.get(register, register)
