# SPDX-License-Identifier: MIT
"""Debian's kernels: which are offered, what they are made of, fetching them and their compilers."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from lkm.config import Config
from lkm.errors import BadInputError, LkmError, MissingError, UsageError
from lkm.kernel import apt
from lkm.kernel.apt import Archive
from lkm.kernel.compiler import Wanted, write_json
from lkm.kernel.layout import Found, find_in_root, fix_makefile
from lkm.kernel.names import read_codename
from lkm.kernel.offer import Offer, build_offers, choose_offer, is_kernel_package
from lkm.kernel.sources import Source, read_sources
from lkm.kernel.store import FILE_NAME, Stored, find_stored, kernels_dir, lock_of, read_size, to_json
from lkm.kernel.value import Kernel, Origin
from lkm.paths import locked, make_dir, new_directory
from lkm.process import find_program
from lkm.progress import Progress


@dataclass(frozen=True, slots=True)
class Suite:
    """A part of the archive that is looked in as one.  `base` has the compilers of its kernels."""

    name: str
    base: str
    security: str = ""


# Where kernels are looked for, this machine's own release first, then in this order.
SUITES = (
    Suite("bookworm", "bookworm", "bookworm-security"),
    Suite("bookworm-backports", "bookworm"),
    Suite("trixie", "trixie", "trixie-security"),
    Suite("trixie-backports", "trixie"),
    Suite("sid", "sid"),
)
# What a machine that is not Debian takes for "the current one".
STABLE = "trixie"
# What a sources list may call Debian's releases besides their code names.
_ALIASES = ("stable", "oldstable", "testing", "unstable")
_KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)
# What no module build, boot or load reads.
_NOT_NEEDED = ("usr/share/doc", "usr/share/lintian", "usr/share/bug", "usr/share/man")
_COMPILER = re.compile(r"^CC = .*?(gcc-\d+)\s*$", re.MULTILINE)


class Debian:
    """Debian's archive, through this machine's apt or the address in `mirror`."""

    name = "debian"

    def __init__(self, config: Config) -> None:
        self._mirror = (os.environ.get("LKM_MIRROR") or config.mirror).rstrip("/")

    def missing(self) -> LkmError | None:
        """What keeps kernels from being fetched on this machine, or None."""
        for program in ("apt-get", "dpkg-deb"):
            if find_program(program) is None:
                return MissingError(
                    f"{program} is not on this machine; Debian's kernels are fetched with it",
                    hint="install apt, or give --kernel a kernel build directory or an image file",
                )
        if self._keyring is None:
            return MissingError(
                "the keys that Debian's packages are verified with are not on this machine",
                hint="apt-get install debian-archive-keyring",
            )
        if not self._base:
            return MissingError(
                "this machine's apt knows no archive of Debian's",
                hint="export LKM_MIRROR=ADDRESS, the base address of a mirror of Debian",
            )
        return None

    @cached_property
    def _sources(self) -> list[Source]:
        return read_sources()

    @cached_property
    def _keyring(self) -> Path | None:
        own = os.environ.get("LKM_KEYRING")
        places = (own,) if own else _KEYRINGS
        return next((Path(place) for place in places if Path(place).is_file()), None)

    @cached_property
    def _base(self) -> str:
        """The archive's address: the setting, else where this machine takes a suite of Debian's from."""
        if self._mirror:
            return self._mirror
        return next(iter(self._own({*(suite.name for suite in SUITES), *_ALIASES})), "")

    def _own(self, names: Container[str]) -> list[str]:
        """Where this machine takes Debian's suites `names` from, the likeliest first.

        Others have archives with Debian's suite names too; theirs have other keys and addresses.
        """
        fitting = [
            item
            for item in self._sources
            if item.suite.removesuffix("-updates") in names and item.component == "main"
        ]
        usual = ("/debian", "/debian-security")
        fitting.sort(key=lambda item: ("debian-archive" not in item.signed_by, not item.uri.endswith(usual)))
        return [item.uri for item in fitting]

    def archive(self, suite: Suite) -> Archive:
        """The sources of a suite; its security updates from where this machine takes them, else a guess."""
        if error := self.missing():
            raise error
        assert self._keyring is not None
        sources: tuple[Source, ...] = (Source(self._base, suite.name),)
        guessed: tuple[Source, ...] = ()
        if suite.security:
            names = {item.security for item in SUITES if item.security}
            names |= {f"{alias}-security" for alias in _ALIASES}
            own = [] if self._mirror else self._own(names)
            if own:
                sources += (Source(own[0], suite.security),)
            else:
                guessed = (Source(f"{self._base}-security", suite.security),)
        return Archive(f"{self.name}-{suite.name}", sources, self._keyring, guessed)

    def suites(self) -> list[Suite]:
        """The suites in the order they are looked in: this machine's own first."""
        own = read_codename()
        return sorted(SUITES, key=lambda suite: suite.base != own)

    def offers(self, suite: Suite, *, refresh: bool, progress: Progress) -> list[Offer]:
        """The kernels that a suite has, the newest last."""
        packages = apt.read_index(self.archive(suite), is_kernel_package, refresh=refresh, progress=progress)
        return build_offers(packages, suite.name)

    def list_offers(self, *, refresh: bool, progress: Progress) -> list[Offer]:
        """The kernels of all suites."""
        each = self._each(self.suites(), {}, refresh=refresh, progress=progress)
        return [offer for offers in each for offer in offers]

    def _each(
        self, suites: Sequence[Suite], unread: dict[str, MissingError], *, refresh: bool, progress: Progress
    ) -> Iterator[list[Offer]]:
        """What each suite has; one that cannot be asked is noted in `unread`, unless none can."""
        for suite in suites:
            try:
                offers = self.offers(suite, refresh=refresh, progress=progress)
            except MissingError as error:
                unread[suite.name] = error
                progress.update(f"{suite.name} could not be asked: {error.message}")
                if len(unread) == len(suites):
                    raise
                continue
            yield offers

    def known_names(self) -> list[str]:
        """Releases seen in package lists read before; fetches nothing."""
        if self.missing() is not None:
            return []
        return [
            offer.release
            for suite in SUITES
            for offer in build_offers(apt.read_known(self.archive(suite)), suite.name)
        ]

    def find(self, words: str, *, need_build: bool, refresh: bool, progress: Progress) -> Offer:
        """The kernel that `words` (what follows `debian:`) name.

        A series (`6.1`), a series and a flavour (`6.1-amd64`), a release, a suite, or nothing for the
        current one.  Raises `UsageError` where there is none, `MissingError` where it cannot be built for.
        """
        named = next((suite for suite in SUITES if suite.name == words), None)
        suites = [named] if named else self.suites()
        if not words:
            release = read_codename(STABLE)
            suites = [suite for suite in suites if suite.name == release]
        only_boots: Offer | None = None
        unread: dict[str, MissingError] = {}
        for offers in self._each(suites, unread, refresh=refresh, progress=progress):
            offer = choose_offer(offers, "" if named else words)
            if offer is not None and (offer.can_build or not need_build):
                return offer
            only_boots = only_boots or offer
        if only_boots is not None:
            raise MissingError(
                f"{self.name}:{only_boots.release} can boot, but Debian has no headers for it any more: "
                "nothing can be built against it",
                hint=f"--kernel {self.name}:{'.'.join(only_boots.release.split('.')[:2])}",
            )
        but = "".join(f"; {name} could not be asked: {error.message}" for name, error in unread.items())
        raise UsageError(f"Debian has no kernel '{words}'{but}", hint=_near(words, self.known_names()))

    def fetch(self, offer: Offer, *, progress: Progress) -> Stored:
        """Fetches a kernel into the cache, unless it is there; it appears whole or not at all."""
        final = kernels_dir() / self.name / offer.release
        make_dir(final.parent)
        with locked(lock_of(final)):
            if stored := find_stored(self.name, offer.release):
                return stored
            suite = next(suite for suite in SUITES if suite.name == offer.suite)
            archive = self.archive(suite)
            with new_directory(final) as part:
                files = part / "packages"
                files.mkdir()
                what = f"fetching {self.name}:{offer.release}"
                try:
                    debs = apt.download(archive, offer.packages, files, what=what, progress=progress)
                    _unpack(debs, part, offer.release, progress)
                except OSError as error:
                    raise _disk_error(error, part) from error
                shutil.rmtree(files)
                _settle(part, offer, final)
            stored = find_stored(self.name, offer.release)
            assert stored is not None
            return stored

    def fetch_compiler(self, wanted: Wanted, suite_name: str, *, progress: Progress) -> None:
        """Fetches the compiler `wanted` into the cache, from the release that `suite_name` belongs to."""
        from lkm.kernel.debian_toolchain import fetch_toolchain

        bases = [suite.base for suite in self.suites()]
        first = [suite.base for suite in SUITES if suite.name == suite_name]
        archives = [
            self.archive(suite)
            for name in dict.fromkeys([*first, *bases])
            for suite in SUITES
            if suite.name == name
        ]
        fetch_toolchain(archives, wanted, progress=progress)


def _near(words: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(words, list(names), n=3, cutoff=0.5)
    return f"--kernel debian:{near[0]}, or lkm kernel list --all" if near else "lkm kernel list --all"


def _disk_error(error: OSError, place: Path) -> LkmError:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return apt.no_space(place, 0)
    return MissingError(f"cannot write {place}: {error.strerror}", hint="export LKM_CACHE=/some/directory")


def _unpack(debs: Sequence[Path], part: Path, release: str, progress: Progress) -> None:
    for number, deb in enumerate(debs):
        progress.update(f"unpacking {release}", number, len(debs))
        apt.unpack(deb, part)
        deb.unlink()
    progress.update(f"unpacking {release}", len(debs), len(debs))


def _settle(part: Path, offer: Offer, final: Path) -> None:
    """Makes an unpacked kernel stand by itself, wherever the cache lies, and writes its `kernel.json`."""
    for name in _NOT_NEEDED:
        shutil.rmtree(part / name, ignore_errors=True)
    if offer.flavour.endswith("amd64"):
        # Other machines' headers are a third of the common package; arch/x86 includes none of them.
        for directory in part.glob("usr/src/linux-headers-*/arch/*"):
            if directory.is_dir() and directory.name != "x86":
                shutil.rmtree(directory, ignore_errors=True)
    build = part / "usr" / "src" / f"linux-headers-{offer.release}"
    if build.is_dir():
        makefile = build / "Makefile"
        here = "lkm_build := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))\n"
        makefile.write_text(here + fix_makefile(makefile.read_text(), "$(lkm_build)", "$(lkm_build)/.."))
        variables = build / ".kernelvariables"
        if variables.is_file():
            variables.write_text(clean_variables(variables.read_text()))
    for link in [*part.glob("lib/modules/*/*"), *part.glob("usr/lib/modules/*/*")]:
        if link.is_symlink() and link.readlink().is_absolute():
            target = part / str(link.readlink()).lstrip("/")
            link.unlink()
            link.symlink_to(os.path.relpath(target, link.parent))
    found = find_in_root(part, offer.release, name=f"debian:{offer.release}", origin=Origin.DISTRIBUTION)
    if found.kernel.image is None:
        raise BadInputError(f"debian:{offer.release}: its packages hold no kernel image")
    write_json(part / FILE_NAME, to_json(_stored(found, offer, part)))
    if not (part / FILE_NAME).is_file():
        raise apt.no_space(final.parent, 0)


def _stored(found: Found, offer: Offer, part: Path) -> Stored:
    kernel: Kernel = replace(found.kernel, size=read_size(part))
    return Stored(
        kernel,
        found.wanted,
        part,
        suite=offer.suite,
        version=offer.version,
        packages=tuple(package.name for package in offer.packages),
        fetched=datetime.now(UTC).isoformat(timespec="seconds"),
        current=offer.current,
    )


def clean_variables(text: str) -> str:
    """Debian's `.kernelvariables` without what asks dpkg for the machine's architecture at each build.

    The compiler is called by its plain name (`gcc-14`), which a machine's own and a fetched one both have.
    """
    match = _COMPILER.search(text)
    if match is None:
        return text
    kept = [
        line for line in text.splitlines() if line.startswith(("override ARCH", "override KERNELRELEASE"))
    ]
    return "\n".join([*kept, f"CC = {match[1]}", "DEBIAN_KERNEL_NO_CC_VERSION_CHECK = y", ""])
