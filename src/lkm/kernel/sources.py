# SPDX-License-Identifier: MIT
"""The package archives this machine's apt uses (sources.list(5)), in both formats."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from lkm import process
from lkm.errors import LkmError

_LINE = re.compile(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)")
_FIELD = re.compile(r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Source:
    """One source of packages: base address, suite, component, and the keys it is verified with, or ""."""

    uri: str
    suite: str
    component: str = "main"
    signed_by: str = ""


def parse_source_lines(text: str) -> list[Source]:
    """The sources of a `sources.list` in the format of one line each."""
    found = []
    for line in text.splitlines():
        match = _LINE.match(line.strip())
        if match:
            options = dict(word.split("=", 1) for word in (match[1] or "").split() if "=" in word)
            found += [
                Source(match[2].rstrip("/"), match[3], component, options.get("signed-by", ""))
                for component in match[4].split()
            ]
    return found


def parse_source_stanzas(text: str) -> list[Source]:
    """The sources of a `*.sources` file (the format deb822)."""
    found = []
    for stanza in re.split(r"\n[ \t]*\n", re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)):
        fields = {key.lower(): value for key, value in _FIELD.findall(stanza)}
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "").lower() in (
            "no",
            "false",
        ):
            continue
        found += [
            Source(uri.rstrip("/"), suite, component, fields.get("signed-by", "").strip())
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
            for component in fields.get("components", "").split()
        ]
    return found


def read_sources() -> list[Source]:
    """The sources of this machine; empty where there is no apt.  What cannot be read is passed over."""
    try:
        argv = ["apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"]
        said = process.run(argv, timeout=30).stdout
    except LkmError:
        return []
    places = dict(word.split("=", 1) for word in shlex.split(said) if "=" in word)
    files = [Path(places["LIST"])] if places.get("LIST") else []
    if places.get("PARTS"):
        files += sorted(Path(places["PARTS"]).glob("*"))
    found: list[Source] = []
    for file in files:
        parse = {".list": parse_source_lines, ".sources": parse_source_stanzas}.get(file.suffix)
        try:
            text = file.read_text(encoding="utf-8", errors="replace") if parse is not None else ""
        except OSError:
            continue
        found += parse(text) if parse is not None else []
    return [source for source in found if not source.uri.startswith("cdrom:")]
