# SPDX-License-Identifier: MIT
"""The information of thousands of modules in a row."""

from __future__ import annotations

import os
from functools import partial

from lkm.elf import FileSource
from lkm.elf.quick import UNUSUAL, Quick
from lkm.module.read import read_module
from lkm.module.signature import Signature, read_signature

Pairs = list[tuple[str, str]]


def read_information(path: str) -> tuple[Pairs, Signature | None]:
    """`.modinfo` in its order, and the signature: all that modinfo shows of the module file `path`.

    Raises what `read_module` raises.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return _carefully(path)
    ours = True
    try:
        quick = Quick(partial(os.pread, fd))
        data = quick.contents(b"\0.modinfo\0")
        ours = False  # from here on it is the source's, which closes it where it is none, too
        source = FileSource(fd, name=path)
        pairs = [
            (key, value)
            for key, _, value in [
                text.partition("=") for text in data.decode("utf-8", "surrogateescape").split("\0") if text
            ]
        ]
        return pairs, read_signature(source)
    except UNUSUAL:
        return _carefully(path)
    finally:
        if ours:
            os.close(fd)


def _carefully(path: str) -> tuple[Pairs, Signature | None]:
    module = read_module(path)
    return list(module.information), module.signature
