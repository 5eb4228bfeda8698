# SPDX-License-Identifier: MIT
"""The last checks before init() runs: type information, parameters, sysfs (btf.c, params.c, sysfs.c)."""

from __future__ import annotations

import errno
import re
from errno import EINVAL

from lkm.elf import BytesSource, parse_elf
from lkm.errors import BadInputError
from lkm.module.parameters import read_parameters
from lkm.module.rules import check_value
from lkm.module.value import Parameter
from lkm.verdict.btf import find_fault, has_other_base
from lkm.verdict.case import Case
from lkm.verdict.value import Finding, Taint

_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')


def check_types(case: Case) -> list[Finding]:
    """Its BTF, if it has any, fits the kernel's (kernel/bpf/btf.c, btf_module_notify)."""
    index = 0 if case.own_build else case.subject.find(".BTF", any_flags=True)
    if not index or not case.ground.option("DEBUG_INFO_BTF_MODULES") or not case.subject.rows[index].size:
        return []
    base = case.subject.find(".BTF.base", any_flags=True)
    fault = find_fault(case.subject.contents(index), case.ground.types, alone=bool(base))
    if fault is None:
        if case.ground.types and not base and has_other_base(case.subject.contents(index), case.ground.types):
            case.doubt("whether its types (.BTF) go on from this kernel's: they lack .BTF.base")
        return []
    number, why = fault
    passes = case.ground.option("MODULE_ALLOW_BTF_MISMATCH")
    if passes is None:
        case.doubt("whether wrong type information is passed over (CONFIG_MODULE_ALLOW_BTF_MISMATCH)")
        return []
    key = "types-passed" if passes and case.ground.messages.has("types-passed") is not False else "types"
    said = (case.name, -number) if key == "types" else ()
    why = f"its type information (.BTF) is not for this kernel: {why}"
    hint = f"{case.rebuild}; or take it out: objcopy -R .BTF {case.path.name}"
    return [case.refuse("types", 0 if passes else number, key, *said, why=why, hint=hint)]


def check_parameters(case: Case) -> list[Finding]:
    """Each parameter's value in turn; the last one that is refused gives the errno (parse_args)."""
    if not case.situation.parameters:
        return []
    try:
        known = _read_parameters(case)
    except BadInputError as error:
        case.doubt(f"what its parameters take: {error.message}")
        return []
    found: list[Finding] = []
    for word in split_words(case.situation.parameters):
        if word == "--":
            break
        found += _check_word(case, known, word)
    return found


def split_words(words: tuple[str, ...]) -> list[str]:
    """The words as the kernel finds them in one string (lib/cmdline.c, next_arg)."""
    return [match[0] for match in _WORD.finditer(" ".join(words))]


def _read_parameters(case: Case) -> tuple[Parameter, ...]:
    """Those the loader knows: what has an entry in `__param`, whatever `.modinfo` says."""
    elf = parse_elf(BytesSource(case.subject.data, name=str(case.path)))
    parameters = read_parameters(elf, tuple(case.subject.information))
    return tuple(one for one in parameters if one.permission is not None)


def _check_word(case: Case, known: tuple[Parameter, ...], word: str) -> list[Finding]:
    answer = check_value(known, word, bits=case.ground.bits, release=case.ground.kernel.release)
    if answer.unknown:
        near = f"did you mean {answer.near}?" if answer.near else "lkm params shows what there is"
        why = f"it has no parameter '{answer.name}': the kernel ignores it"
        return [
            case.warn("unknown-parameter", "parameter-unknown", case.name, answer.name, why=why, hint=near)
        ]
    if not answer.error:
        parameter = next((one for one in known if _same(one.name, answer.name)), None)
        if parameter is not None and parameter.unsafe:
            case.taints[Taint.UNSAFE_PARAMETER] = None
        if parameter is not None and not parameter.kind:
            case.doubt(f"what its own function says to {word}")
        return []
    number = getattr(errno, answer.error)
    key = "parameter-large" if answer.error == "ENOSPC" else "parameter-invalid"
    # param_array puts a NUL in place of the first comma.
    value = answer.value or ""
    array = any(_same(one.name, answer.name) and one.kind == "array" for one in known)
    said = (case.name, value.partition(",")[0] if array else value, answer.name)
    why = f"parameter {answer.name}: {answer.reason}"
    return [case.refuse("parameters", number, key, *said, why=why, hint=f"lkm params {case.path}")]


def _same(one: str, other: str) -> bool:
    return one.replace("-", "_") == other.replace("-", "_")


def check_sysfs(case: Case) -> list[Finding]:
    """No built-in module of that name with a directory of its own (mod_sysfs_init)."""
    named = case.ground.in_sysfs
    if named is None:
        if case.name in case.ground.built_in:
            case.doubt(f"whether {case.name}, which is built in, has a directory in /sys/module")
        return []
    if case.name in named:
        why = f"{case.name} is built into this kernel"
        hint = "use what is built in, or give the module another name"
        return [case.refuse("in-sysfs", EINVAL, "in-sysfs", case.name, why=why, hint=hint)]
    return []


def check_unload(case: Case) -> list[Finding]:
    """An init without an exit stays for good (delete_module); no reason to refuse it."""
    if case.ground.option("MODULE_UNLOAD") is False:
        return [case.warn("unload", why="it cannot be unloaded: this kernel has no CONFIG_MODULE_UNLOAD")]
    names = case.subject.strings
    if b"\0cleanup_module\0" in names or b"\0init_module\0" not in names:
        return []
    hint = "add an exit function: module_exit()"
    return [case.warn("unload", why="it cannot be unloaded: it has an init function and no exit", hint=hint)]
