# SPDX-License-Identifier: MIT
"""Module information for a person and for a machine: all of modinfo, and what it does not tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lkm.module import Module, Parameter
from lkm.module.parameters import declared_parameters
from lkm.module.signature import Signature, Verification

# Version of the JSON of `lkm info`; documented in docs/read.md.
SCHEMA = 1

# Told elsewhere in the text for a person, or of use to tools only.
_SPOKEN_FOR = {
    "description", "author", "license", "version", "vermagic", "name", "depends", "parm", "parmtype", "alias",
    "softdep", "weakdep", "firmware", "import_ns", "srcversion", "intree", "retpoline",
}  # fmt: skip
_MOST = 12  # of a long list, in the text for a person
_MOST_ELEMENTS = 8  # of an array's default


def printable(text: str) -> str:
    """The text with what a terminal would take for commands made visible: a module may hold anything."""
    return "".join(char if char.isprintable() else f"\\x{ord(char) & 0xFF:02x}" for char in text)


def permission_text(mode: int | None) -> str:
    """What a parameter's permission means in sysfs."""
    if mode is None:
        return "unknown"
    if mode == 0:
        return "not in sysfs: set at load only"
    can = {
        who: " and ".join(word for word, bit in (("read", 4), ("write", 2)) if mode >> shift & bit)
        for who, shift in (("root", 6), ("group", 3), ("others", 0))
    }
    if can["group"] == can["others"]:
        can = {"root": can["root"], "all others": can["others"]}
    texts = {"read": "reads", "write": "writes", "read and write": "reads and writes"}
    return ", ".join(
        f"{who} {text if who.endswith('others') else texts.get(text, text)}"
        for who, text in can.items()
        if text
    )


def default_text(parameter: Parameter) -> str:
    """A default as sysfs would show it; of an array of which none are given, what its elements hold."""
    if parameter.count is None or not isinstance(parameter.default, tuple):
        return parameter.shown
    given = bool(parameter.shown)
    values = parameter.shown.split(",") if given else [_element_text(one) for one in parameter.default]
    if len(values) > 3 and len(set(values)) == 1:
        text = f"{values[0]} (x {len(values)})"
    else:
        text = ",".join(values[:_MOST_ELEMENTS]) + (",…" if len(values) > _MOST_ELEMENTS else "")
    return text if given else f"{text}, none given"


def _element_text(value: bool | int | str | None) -> str:
    if isinstance(value, bool):
        return "Y" if value else "N"
    return "(null)" if value is None else str(value)


def type_text(parameter: Parameter) -> str:
    """A parameter's type with the bounds of an array or a string: `int[32]`, `string[16]`."""
    if parameter.count is not None:
        element = parameter.element or parameter.type.removeprefix("array of ")
        return f"{element or '?'}[{parameter.count}]"
    if parameter.length is not None:
        return f"{parameter.type}[{parameter.length}]"
    return parameter.type or "?"


def parameter_json(parameter: Parameter) -> dict[str, Any]:
    """One parameter; `default` is null where it is a NULL text or not known (`default_known`)."""
    return {
        "name": parameter.name,
        "type": parameter.type,
        "default": parameter.default,
        "default_known": parameter.known,
        "default_shown": parameter.shown if parameter.known else None,
        "permission": None if parameter.permission is None else f"{parameter.permission:04o}",
        "permission_meaning": permission_text(parameter.permission),
        "description": parameter.description,
        "count": parameter.count,
        "length": parameter.length,
        "own_functions": parameter.permission is not None and not parameter.kind,
        "taints": parameter.unsafe,
    }


def _crc(value: int | None) -> str | None:
    return None if value is None else f"0x{value:08x}"


def signature_json(signature: Signature | None, verification: Verification | None) -> dict[str, Any] | None:
    """Who signed a module and how; `verification` null where no certificate was given."""
    if signature is None:
        return None
    return {
        "id_type": signature.id_type,
        "signer": signature.signer,
        "key_id": signature.key_id.hex(),
        "hash": signature.hash,
        "algorithm": signature.algorithm,
        "size": len(signature.signature),
        "verification": verification.value if verification else None,
    }


def info_json(module: Module, *, verification: Verification | None = None) -> dict[str, Any]:
    """The object for one module file."""
    init, leave = module.starts_and_ends
    layout = module.sizes
    pre, post = module.softdeps
    return {
        "name": module.name,
        "filename": str(module.path),
        "built_in": False,
        "arch": module.arch,
        "license": module.licence,
        "gpl_compatible": module.gpl_compatible,
        "vermagic": module.vermagic,
        "version": module.value("version"),
        "srcversion": module.value("srcversion"),
        "description": module.value("description"),
        "authors": list(module.values("author")),
        "aliases": list(module.values("alias")),
        "depends": list(module.depends),
        "softdeps": {"pre": list(pre), "post": list(post)},
        "weakdeps": " ".join(module.values("weakdep")).split(),
        "firmware": list(module.values("firmware")),
        "intree": module.value("intree") == "Y",
        "parameters": [parameter_json(one) for one in module.parameters],
        "exports": [
            {"name": one.name, "gpl_only": one.gpl_only, "namespace": one.namespace, "crc": _crc(one.crc)}
            for one in module.exports
        ],
        "imports": [{"name": one.name, "weak": one.weak, "crc": _crc(one.crc)} for one in module.imports],
        "import_namespaces": list(module.values("import_ns")),
        "init": init,
        "exit": leave,
        "can_unload": module.can_unload,
        "signature": signature_json(module.signature, verification),
        "memory": {
            "core": layout.core,
            "init": layout.init,
            "pages": layout.pages,
            "per_cpu": layout.per_cpu,
        },
        "build_id": module.build_id,
        "compilers": list(module.compilers),
        "information": [list(pair) for pair in module.information],
    }


def built_in_json(name: str, information: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The object for a built-in module: only what `modules.builtin.modinfo` says."""
    pairs = list(information)

    def values(key: str) -> list[str]:
        return [value for one, value in pairs if one == key]

    return {
        "name": name,
        "filename": None,
        "built_in": True,
        "license": next(iter(values("license")), ""),
        "gpl_compatible": True,
        "description": next(iter(values("description")), ""),
        "authors": values("author"),
        "aliases": values("alias"),
        "depends": [],
        "parameters": [parameter_json(one) for one in declared_parameters(pairs).values()],
        "information": [list(pair) for pair in pairs],
    }


def built_in_lines(name: str, information: Iterable[tuple[str, str]]) -> list[str]:
    """The text for a built-in module."""
    pairs = list(information)
    lines = [_row("name", name), _row("file", "built in: part of the kernel image")]
    lines += [
        _row("place" if key == "file" else printable(key), printable(value))
        for key, value in pairs
        if key not in {"parm", "parmtype"}
    ]
    parameters = declared_parameters(pairs).values()
    if parameters:
        lines.append("parameters:")
        for one in parameters:
            lines += parameter_lines(one)
    return lines


def _some(words: list[str]) -> str:
    shown = words[:_MOST]
    rest = len(words) - len(shown)
    return printable(", ".join(shown)) + (f" and {rest} more" if rest else "")


def _row(key: str, value: str) -> str:
    return f"{key + ':':15}{value}"


def info_lines(module: Module, *, verification: Verification | None = None) -> list[str]:
    """The text for a person, a line each."""
    lines = [_row("name", module.name), _row("file", str(module.path))]
    for key in ("description", "version"):
        if module.value(key):
            lines.append(_row(key, printable(module.value(key))))
    lines += [_row("author", printable(author)) for author in module.values("author")]
    lines.append(_row("licence", _licence(module)))
    lines.append(_row("built for", f"{printable(module.vermagic) or 'no version magic'}  ({module.arch})"))
    lines += [_row("compiled with", printable(compiler)) for compiler in module.compilers]
    if module.build_id:
        lines.append(_row("build-id", module.build_id))
    lines.append(_row("depends on", _some(list(module.depends)) or "nothing but the kernel"))
    pre, post = module.softdeps
    if pre or post:
        lines.append(_row("soft", "; ".join(
            f"{when}: {_some(list(names))}" for when, names in (("before", pre), ("after", post)) if names
        )))  # fmt: skip
    for key, title in (("weakdep", "weak"), ("firmware", "firmware"), ("alias", "aliases")):
        if module.values(key):
            lines.append(_row(title, _some(list(module.values(key)))))
    lines += _symbol_lines(module)
    layout = module.sizes
    per_cpu = f", {layout.per_cpu} for each CPU" if layout.per_cpu else ""
    lines.append(
        _row(
            "memory",
            f"{layout.core} bytes ({layout.pages} in pages), {layout.init} freed after init{per_cpu}",
        )
    )
    lines.append(_row("unloads", _unloads(module)))
    lines.append(_row("signed", signature_text(module.signature, verification)))
    for key, value in module.information:
        if key not in _SPOKEN_FOR:
            lines.append(_row(printable(key), printable(value)))
    if module.parameters:
        lines.append("parameters:")
        for one in module.parameters:
            lines += parameter_lines(one)
    return lines


def _licence(module: Module) -> str:
    if not module.licence:
        return "none given: taken as proprietary, so no symbol exported for GPL only"
    opens = "GPL-compatible: may use symbols exported for GPL only"
    closed = "not GPL-compatible: no symbol exported for GPL only"
    return f"{printable(module.licence)}  ({opens if module.gpl_compatible else closed})"


def _symbol_lines(module: Module) -> list[str]:
    lines = []
    if module.exports:
        gpl = sum(one.gpl_only for one in module.exports)
        spaces = sorted({one.namespace for one in module.exports if one.namespace})
        within = f", in namespaces {_some(spaces)}" if spaces else ""
        lines.append(_row("exports", f"{len(module.exports)} symbols, {gpl} for GPL only{within}"))
    weak = sum(one.weak for one in module.imports)
    imported = _some(list(module.values("import_ns")))
    lines.append(
        _row(
            "imports",
            f"{len(module.imports)} symbols"
            + (f", {weak} of them weak" if weak else "")
            + (f"; namespaces {imported}" if imported else ""),
        )
    )
    return lines


def _unloads(module: Module) -> str:
    init, leave = module.starts_and_ends
    if leave:
        return "yes"
    return "no: it has an init function and no exit function" if init else "yes, it has neither init nor exit"


def signature_text(signature: Signature | None, verification: Verification | None) -> str:
    """A line on the signature."""
    if signature is None:
        return "no"
    how = f"{signature.hash} with {signature.algorithm}, {len(signature.signature) * 8} bits of signature"
    checked = {
        None: "",
        Verification.GOOD: "; it holds",
        Verification.BAD: "; IT DOES NOT HOLD: the file was changed since",
        Verification.OTHER_KEY: "; not made with the key of the given certificate",
        Verification.UNSUPPORTED: "; of a kind that cannot be checked here",
        Verification.UNSIGNED: "",
    }[verification]
    key = signature.key_id.hex()
    return f"by {printable(signature.signer) or 'an unnamed key'} ({key}), {how}{checked}"


def parameter_notes(parameter: Parameter) -> list[str]:
    """What is special about setting a parameter."""
    notes = []
    if parameter.permission is not None and not parameter.kind:
        notes.append("set by the module's own function")
    if parameter.unsafe:
        notes.append("setting it taints the kernel")
    if parameter.hardware:
        notes.append("refused under lockdown")
    return notes


def parameter_lines(parameter: Parameter) -> list[str]:
    """A parameter for a person: what it is, then its description."""
    default = f" = {printable(default_text(parameter))}" if parameter.known else ""
    notes = parameter_notes(parameter)
    if parameter.permission is not None:
        notes = [f"{parameter.permission:04o}, {permission_text(parameter.permission)}", *notes]
    after = f"  ({'; '.join(notes)})" if notes else ""
    lines = [f"  {printable(parameter.name)}: {printable(type_text(parameter))}{default}{after}"]
    if parameter.description:
        lines.append(f"      {printable(parameter.description)}")
    return lines
