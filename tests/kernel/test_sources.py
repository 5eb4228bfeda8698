# SPDX-License-Identifier: MIT
from __future__ import annotations

from lkm.kernel.sources import Source, parse_source_lines, parse_source_stanzas

LINES = """\
# deb http://commented.example/debian bookworm main
deb http://one.example/debian/ bookworm main contrib # the usual
deb-src http://one.example/debian bookworm main
deb [arch=amd64 signed-by=/keys/x.gpg] https://two.example/d trixie main
 deb   http://three.example/flat ./
nonsense
"""

STANZAS = """\
# As the installer writes it.
Types: deb deb-src
URIs: http://one.example/debian http://mirror.example/debian/
Suites: bookworm bookworm-updates
# a comment between
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://src.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://keys.example/debian
Suites: sid
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJ: notafield
 -----END PGP PUBLIC KEY BLOCK-----
"""


def test_one_line_each() -> None:
    assert parse_source_lines(LINES) == [
        Source("http://one.example/debian", "bookworm", "main"),
        Source("http://one.example/debian", "bookworm", "contrib"),
        Source("https://two.example/d", "trixie", "main", "/keys/x.gpg"),
    ]
    assert parse_source_lines("") == parse_source_lines("\0\ndeb\ndeb [x\n") == []


def test_stanzas() -> None:
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    found = parse_source_stanzas(STANZAS)
    assert found[:4] == [
        Source(uri, suite, "main", keys)
        for uri in ("http://one.example/debian", "http://mirror.example/debian")
        for suite in ("bookworm", "bookworm-updates")
    ]
    assert [(item.uri, item.suite) for item in found[4:]] == [("http://keys.example/debian", "sid")]
    assert found[4].signed_by.startswith("-----BEGIN PGP")
    assert parse_source_stanzas("") == parse_source_stanzas("Types: deb\n\nURIs: x\n") == []
