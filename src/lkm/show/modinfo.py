# SPDX-License-Identifier: MIT
"""Module information exactly as modinfo(8) prints it, byte for byte.

Source: kmod, tools/modinfo.c and libkmod-module.c `kmod_module_get_info`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lkm.module.signature import Signature

_LINE = 20  # bytes of a signature on a line


def signature_information(signature: Signature | None) -> list[tuple[str, str]]:
    """What modinfo adds for a signature; nothing for one whose signer is named by a key identifier."""
    if signature is None or not signature.by_serial:
        return []
    return [
        ("sig_id", signature.id_type),
        ("signer", signature.signer),
        ("sig_key", _hex(signature.key_id)),
        ("sig_hashalgo", signature.hash),
        ("signature", _hex(signature.signature)),
    ]


def _hex(data: bytes) -> str:
    lines = [data[at : at + _LINE].hex(":").upper() for at in range(0, len(data), _LINE)]
    return ":\n\t\t".join(lines)


def modinfo_text(
    information: Iterable[tuple[str, str]],
    *,
    filename: str,
    built_in: str = "",
    fields: Sequence[str] = (),
    separator: str = "\n",
) -> str:
    """What `modinfo` prints for a module: all of it, or the values of `fields` alone.

    `information` includes `signature_information`.  `built_in` is the name of a built-in module.
    `separator` is "\\n", or NUL for `-0`.
    """
    pairs = list(information)
    if fields:
        return "".join(_field(pairs, field, filename, built_in, separator) for field in fields)
    out = [f"{'name:':16}{built_in}{separator}"] if built_in else []
    out.append(f"{'filename:':16}{filename}{separator}")
    for key, value in pairs:
        if key in {"parm", "parmtype"}:
            continue
        if separator == "\0":
            out.append(f"{key}={value}\0")
        else:
            out.append(f"{key}:{' ' * (15 - min(len(key), 15))}{value}\n")
    for name, (text, kind) in _parameters(pairs).items():
        out.append(f"{'parm:':16}{_parameter(name, text, kind, alone=False)}{separator}")
    return "".join(out)


def _field(pairs: list[tuple[str, str]], field: str, filename: str, built_in: str, separator: str) -> str:
    if field == "filename":
        return filename + separator
    if field == "parm":
        return "".join(
            _parameter(name, text, kind, alone=True) + separator
            for name, (text, kind) in _parameters(pairs).items()
        )
    first = [built_in] if field == "name" and built_in else []
    return "".join(value + separator for value in [*first, *(value for key, value in pairs if key == field)])


def _parameters(pairs: list[tuple[str, str]]) -> dict[str, tuple[str | None, str | None]]:
    """Description and type of each parameter; the last one that was first named comes first."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for key, value in pairs:
        if key not in {"parm", "parmtype"} or ":" not in value:
            continue
        name, _, rest = value.partition(":")
        text, kind = found.get(name, (None, None))
        found[name] = (rest, kind) if key == "parm" else (text, rest)
    return dict(reversed(found.items()))


def _parameter(name: str, text: str | None, kind: str | None, *, alone: bool) -> str:
    if text is None:
        return f"{name}: ({kind})" if alone else f"{name}:{kind}"
    return f"{name}:{text} ({kind})" if kind is not None else f"{name}:{text}"
