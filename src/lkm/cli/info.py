# SPDX-License-Identifier: MIT
"""`lkm info`: all that a module says of itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lkm.cli.common import echo_lines, json_option, kernel_option
from lkm.cli.where import find_modules_dir, is_module_path, release_options
from lkm.errors import BadInputError, LkmError, UsageError

if TYPE_CHECKING:
    from lkm.modtree.lookup import Lookup, Named
    from lkm.module import Module
    from lkm.module.signature import Verification
    from lkm.module.verify import Certificate

_SHORT = {"a": "author", "d": "description", "l": "license", "p": "parm", "n": "filename"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, required=True, metavar="FILE|NAME...")
@click.option(
    "-F", "--field", "fields", multiple=True, metavar="FIELD", help="Only this field; may be repeated."
)
@click.option("-a", "--author", is_flag=True, help="Only the author.")
@click.option("-d", "--description", is_flag=True, help="Only the description.")
@click.option("-l", "--license", is_flag=True, help="Only the licence.")
@click.option("-p", "--parameters", is_flag=True, help="Only the parameters.")
@click.option("-n", "--filename", is_flag=True, help="Only the file.")
@click.option("-0", "--null", is_flag=True, help="NUL instead of a newline after each value.")
@click.option(
    "-m", "--modname", is_flag=True, help="Take the words as names of modules, not files or aliases."
)
@click.option("--plain", is_flag=True, help="Exactly what modinfo prints.")
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Verify the signature against this X.509 certificate (PEM or DER).",
)
@kernel_option
@release_options
@json_option
def command(
    names: tuple[str, ...],
    *,
    fields: tuple[str, ...],
    null: bool,
    modname: bool,
    plain: bool,
    certificate: Path | None,
    kernel_name: str | None,
    base: Path | None,
    release: str | None,
    as_json: bool,
    **short: bool,
) -> int:
    """All that a module says of itself: a file, or the name or an alias of a module of a kernel.

    \b
    lkm info hello.ko                      everything, and what modinfo does not tell
    lkm info -F parm -F license hello.ko   only these fields, as modinfo prints them
    lkm info --kernel debian:6.1 e1000e    of a kernel's module, by its name
    lkm info --plain hello.ko              modinfo's own text, byte for byte
    """
    wanted = [*fields, *(field for letter, field in _SHORT.items() if short[_option(letter)])]
    as_modinfo = plain or bool(wanted) or null
    if as_modinfo and as_json:
        raise UsageError("--json cannot go together with --plain, -0 or the choice of fields")
    finder = _Finder(kernel_name, base, release)
    printer = _Printer(wanted, "\0" if null else "\n", as_modinfo, as_json, certificate)
    status = 0
    for name in names:
        try:
            for found in finder.find(name, by_name=modname):
                printer.show(found, finder)
        except LkmError as error:
            if len(names) == 1:
                raise
            from lkm.cli import show_error

            show_error(error.message, error.hint)
            status = error.status
    return printer.end() or status


def _option(letter: str) -> str:
    return {"a": "author", "d": "description", "l": "license", "p": "parameters", "n": "filename"}[letter]


class _Finder:
    """From a word of the command line to what is shown for it; the modules directory only when needed."""

    def __init__(self, kernel: str | None, base: Path | None, release: str | None) -> None:
        self._words = (kernel, base, release)
        self._lookup: Lookup | None = None

    @property
    def lookup(self) -> Lookup:
        if self._lookup is None:
            from lkm.modtree.lookup import Lookup

            kernel, base, release = self._words
            self._lookup = Lookup(find_modules_dir(kernel=kernel, base=base, release=release))
        return self._lookup

    def find(self, word: str, *, by_name: bool) -> Sequence[str | Named]:
        if not by_name and is_module_path(word):
            return [word]
        one = self.lookup.find_name(word) if by_name else None
        found = ([one] if one else []) if by_name else self.lookup.find(word)
        if not found:
            raise BadInputError(
                f"no module '{word}' in {self.lookup.modules_dir}",
                hint="lkm info takes a file, a module's name or an alias; --kernel NAME takes another kernel",
            )
        return found


class _Printer:
    """Shows modules in the chosen form."""

    def __init__(
        self, fields: list[str], separator: str, as_modinfo: bool, as_json: bool, certificate: Path | None
    ) -> None:
        self._fields = fields
        self._separator = separator
        self._as_modinfo = as_modinfo
        self._as_json = as_json
        self._objects: list[dict[str, Any]] = []
        self._shown = 0
        self._bad = False
        self._certificate: Certificate | None = None
        if certificate is not None:
            from lkm.module.verify import read_certificate

            self._certificate = read_certificate(certificate)

    def show(self, found: str | Named, finder: _Finder) -> None:
        path = found if isinstance(found, str) else found.path
        if path is None:
            assert not isinstance(found, str)
            self._show_built_in(found.name, finder)
            return
        from lkm.module import read_module

        module = read_module(path)
        if self._as_modinfo:
            # Not normalized: modinfo puts the directory before a relative path and leaves it so.
            self._show_plain(module, f"{os.getcwd()}/{path}" if str(path)[:1] != "/" else str(path))  # noqa: PTH109
            return
        from lkm.show.info import info_json, info_lines

        verification = self._verify(module)
        if self._as_json:
            self._objects.append(info_json(module, verification=verification))
        else:
            self._lines(info_lines(module, verification=verification))

    def _show_plain(self, module: Module, filename: str) -> None:
        from lkm.show.modinfo import modinfo_text, signature_information

        _write(
            modinfo_text(
                [*module.information, *signature_information(module.signature)],
                filename=filename,
                fields=self._fields,
                separator=self._separator,
            )
        )

    def _show_built_in(self, name: str, finder: _Finder) -> None:
        information = finder.lookup.built_in_information.get(name, ())
        if self._as_modinfo:
            from lkm.show.modinfo import modinfo_text

            text = modinfo_text(
                information,
                filename="(builtin)",
                built_in=name,
                fields=self._fields,
                separator=self._separator,
            )
            _write(text)
            return
        from lkm.show.info import built_in_json, built_in_lines

        if self._as_json:
            self._objects.append(built_in_json(name, information))
        else:
            self._lines(built_in_lines(name, information))

    def _verify(self, module: Module) -> Verification | None:
        if self._certificate is None:
            return None
        from lkm.module.signature import Verification
        from lkm.module.verify import verify_signature

        found = verify_signature(module.elf.source, module.signature, self._certificate)
        self._bad = self._bad or found is not Verification.GOOD
        return found

    def _lines(self, lines: list[str]) -> None:
        if self._shown:
            click.echo()
        self._shown += 1
        echo_lines(lines)

    def end(self) -> int:
        """The last words; the exit status: 1 where a signature does not hold."""
        if self._as_json:
            from lkm.cli.common import emit_json
            from lkm.show.info import SCHEMA

            emit_json({"schema": SCHEMA, "info": self._objects})
        return int(self._bad)


def _write(text: str) -> None:
    """Bytes as they are in the file, whatever the terminal's encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
