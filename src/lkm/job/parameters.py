# SPDX-License-Identifier: MIT
"""Module parameters as a person types them: which module each is for, and how the kernel wants it written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lkm.errors import UsageError
from lkm.guest.parameters import ANY_MODULE

if TYPE_CHECKING:
    from lkm.module import Module


def _same(name: str) -> str:
    # The kernel takes dash for underscore in a parameter's name (kernel/params.c: dash2underscore).
    return name.replace("-", "_")


def quote_assignment(name: str, value: str) -> str:
    """`name=value` as `parse_args` of the kernel reads it back: with white space, in double quotes.

    Source: lib/cmdline.c, next_arg().  Raises `UsageError` for a value it has no spelling for.
    """
    if '"' in value or "\n" in value or "\0" in value:
        raise UsageError(f"parameter '{name}': the kernel has no way to write the value {value!r}")
    return f'{name}="{value}"' if any(char.isspace() for char in value) or not value else f"{name}={value}"


def assign_parameters(assignments: Sequence[str], modules: Sequence[Module]) -> Mapping[str, str]:
    """The parameter string of each module, by module name, from `name=value` and `module.name=value` words.

    Raises `UsageError` where no module has the parameter (a misspelling is told), or where two have it
    and the word does not say which.
    """
    words: dict[str, list[str]] = {module.name: [] for module in modules}
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        owner, short = _find_owner(name, modules)
        words[owner.name].append(quote_assignment(short, value))
    return {name: " ".join(parts) for name, parts in words.items()}


def _find_owner(name: str, modules: Sequence[Module]) -> tuple[Module, str]:
    prefix, dot, short = name.partition(".")
    if dot:
        named = [module for module in modules if module.name == _same(prefix)]
        if not named:
            known = ", ".join(module.name for module in modules)
            raise UsageError(f"'{name}': no module {prefix} is being loaded", hint=f"loaded are: {known}")
        if _has(named[0], short):
            return named[0], short
        raise _unknown(short, named)
    owners = [module for module in modules if _has(module, name)]
    if len(owners) == 1:
        return owners[0], name
    if owners:
        choices = " or ".join(f"{module.name}.{name}=" for module in owners)
        raise UsageError(f"parameter '{name}' is there in several modules", hint=f"say which: {choices}…")
    raise _unknown(name, modules)


def _has(module: Module, name: str) -> bool:
    return name in ANY_MODULE or any(_same(one.name) == _same(name) for one in module.parameters)


def _unknown(name: str, modules: Sequence[Module]) -> UsageError:
    known = [one.name for module in modules for one in module.parameters]
    who = " and ".join(module.name for module in modules)
    have = "have" if len(modules) > 1 else "has"
    from difflib import get_close_matches

    near = get_close_matches(_same(name), known, n=1, cutoff=0.6)
    if near:
        hint = f"{near[0]}=…"
    elif known:
        hint = f"{who} {have}: {', '.join(known)}"
    else:
        hint = f"{who} {have} no parameters"
    return UsageError(f"{who} {have} no parameter '{name}'", hint=hint)
