# SPDX-License-Identifier: MIT
"""A private apt: packages fetched and verified by the package manager, without root and without installing.

Each `Archive` has lists, cache and sources of its own below the cache directory; this machine's package
state is neither read nor written.  Proxies and credentials of this machine's apt configuration hold.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote

from lkm import process
from lkm.errors import BadInputError, LkmError, MissingError
from lkm.kernel.compiler import write_json
from lkm.kernel.sources import Source
from lkm.paths import cache_dir, locked, make_dir
from lkm.progress import Progress

# How long fetched package lists are good, in seconds.
LISTS_LAST = 24 * 3600.0
_INDEX_SCHEMA = 1
_CAT_FILE = Path("/usr/lib/apt/apt-helper")
_PERCENT = re.compile(r"dlstatus:\d+:([\d.]+):")
_URI = re.compile(r"^'([^']+)' (\S+) (\d+)", re.MULTILINE)

_CONFIGURATION = """\
// Hooks and further indexes of this machine's configuration are not for private lists.
#clear APT::Update;
#clear APT::Architectures;
#clear APT::Default-Release;
#clear DPkg;
#clear Acquire::IndexTargets;
#clear Acquire::CompressionTypes::Order;
Acquire::IndexTargets::deb::Packages {{
  MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages";
  ShortDescription "Packages";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
  flatDescription "$(RELEASE) Packages";
  Optional "0";
}};
Acquire {{
  AllowInsecureRepositories "0"; AllowWeakRepositories "0"; AllowDowngradeToInsecureRepositories "0";
  Languages "none"; PDiffs "0"; GzipIndexes "1"; Retries "2"; http::Timeout "30"; https::Timeout "30";
}};
APT {{
  Architecture "{arch}"; Architectures {{ "{arch}"; }};
  Install-Recommends "0"; Install-Suggests "0"; Update::Error-Mode "any";
  Get::Assume-Yes "1"; Get::AllowUnauthenticated "0"; Sandbox::User "{user}";
}};
Debug::NoLocking "1";
Dir {{
  Etc::sourcelist "{directory}/sources.list"; Etc::sourceparts "/dev/null";
  Etc::preferences "/dev/null"; Etc::preferencesparts "/dev/null";
  State "{directory}"; State::lists "{directory}/lists"; State::status "{directory}/status";
  State::extended_states "{directory}/extended_states";
  Cache "{directory}/cache"; Cache::archives "{directory}/cache/archives";
  Cache::pkgcache ""; Cache::srcpkgcache ""; Log "{directory}";
}};
"""


class StaleListsError(MissingError):
    """A package is gone from the archive since its lists were read: read them again."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Sources that are looked in together.  `guessed` are those that may not be there."""

    name: str
    sources: tuple[Source, ...]
    keyring: Path
    guessed: tuple[Source, ...] = ()

    @property
    def directory(self) -> Path:
        """Its lists and state, in the cache."""
        return cache_dir() / "apt" / self.name


@dataclass(frozen=True, slots=True)
class Package:
    """One package as the lists describe it; sizes in bytes, `depends` as written."""

    name: str
    version: str
    depends: str
    size: int
    installed: int


def parse_packages(text: str, keep: Callable[[str], bool]) -> list[Package]:
    """The packages of a `Packages` file whose name `keep` accepts."""
    found = []
    for stanza in text.split("\n\n"):
        name = stanza.lstrip("\n").partition("\n")[0].removeprefix("Package: ")
        if not name or ":" in name or not keep(name):
            continue
        fields = dict(
            line.split(": ", 1) for line in stanza.splitlines() if ": " in line and not line.startswith(" ")
        )
        if "Version" in fields:
            size = int(fields["Size"]) if fields.get("Size", "").isdecimal() else 0
            installed = fields.get("Installed-Size", "")
            found.append(
                Package(
                    name,
                    fields["Version"],
                    fields.get("Depends", ""),
                    size,
                    int(installed) * 1024 if installed.isdecimal() else 0,
                )
            )
    return found


def read_index(
    archive: Archive, keep: Callable[[str], bool], *, refresh: bool, progress: Progress
) -> list[Package]:
    """The packages of an archive that `keep` accepts, from lists at most a day old.

    Raises `MissingError` where they cannot be fetched, `BadInputError` where their signature is not good.
    """
    store = archive.directory / "index.json"
    with locked(archive.directory / "lock"):
        known = None if refresh else _read_known(store, archive)
        if known is not None:
            return known
        progress.update(f"reading the package lists of {archive.name}")
        update_lists(archive)
        files = sorted(str(path) for path in (archive.directory / "lists").glob("*_Packages*"))
        text = _run(archive, [str(_CAT_FILE), "cat-file", *files]).stdout
        packages = parse_packages(text, keep)
        write_json(
            store,
            {
                "schema": _INDEX_SCHEMA,
                "sources": _source_lines(archive),
                "packages": [list(asdict(package).values()) for package in packages],
            },
        )
        return packages


def read_known(archive: Archive) -> list[Package]:
    """The packages read last time, however long ago; starts nothing."""
    return _read_known(archive.directory / "index.json", archive, lasts=float("inf")) or []


def _read_known(store: Path, archive: Archive, *, lasts: float = LISTS_LAST) -> list[Package] | None:
    try:
        if time.time() - store.stat().st_mtime > lasts:
            return None
        data = json.loads(store.read_bytes())
        if data["schema"] != _INDEX_SCHEMA or data["sources"] != _source_lines(archive):
            return None
        return [Package(*row) for row in data["packages"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _source_lines(archive: Archive, *, guessed: bool = True) -> list[str]:
    sources = [*archive.sources, *(archive.guessed if guessed else ())]
    return [f"deb [signed-by={archive.keyring}] {item.uri} {item.suite} {item.component}" for item in sources]


def update_lists(archive: Archive) -> None:
    """Fetches the package lists; a guessed source that is not there is left out from then on."""
    directory = make_dir(archive.directory)
    for name in ("lists/partial", "cache/archives/partial"):
        make_dir(directory / name)
    if not archive.keyring.is_file():
        raise MissingError(
            f"{archive.keyring} is not on this machine; it has the keys that packages are verified with",
            hint="apt-get install debian-archive-keyring",
        )
    (directory / "status").write_text("")
    configuration = _CONFIGURATION.format(
        arch=read_architecture(), user="root" if os.geteuid() == 0 else "", directory=directory
    )
    (directory / "apt.conf").write_text(configuration)
    for guessed in (True, False):
        (directory / "sources.list").write_text("\n".join(_source_lines(archive, guessed=guessed)) + "\n")
        result = _start(archive, ["apt-get", "update", "-q"])
        if result.status == 0:
            return
        if not archive.guessed or "does not have a Release file" not in result.stdout + result.stderr:
            break
    raise explain(archive, result)


def read_architecture() -> str:
    """This machine's architecture as Debian names it."""
    machine = os.uname().machine
    names = {
        "x86_64": "amd64",
        "aarch64": "arm64",
        "riscv64": "riscv64",
        "ppc64le": "ppc64el",
        "i686": "i386",
    }
    return names.get(machine, machine)


def download(
    archive: Archive, packages: Sequence[Package], into: Path, *, what: str, progress: Progress
) -> list[Path]:
    """Fetches and verifies packages into the directory `into`; the files, in the order of `packages`."""
    if not packages:
        return []  # apt-get fails without a word where it is asked for none
    total = sum(package.size for package in packages)
    check_space(into, total + sum(package.installed for package in packages))
    progress.update(what, 0, total)

    def on_line(line: str) -> None:
        match = _PERCENT.match(line)
        if match:
            progress.update(what, int(float(match[1]) / 100 * total), total)

    words = [f"{package.name}={package.version}" for package in packages]
    with locked(archive.directory / "lock"):  # nobody may read the lists anew meanwhile
        result = process.run_lines(
            [*_argv(archive, ["apt-get", "download", "-q", "-o", "APT::Status-Fd=1"]), *words],
            cwd=into,
            env=_environment(),
            on_line=on_line,
            timeout=3600,
        )
    files = [next(iter(into.glob(f"{package.name}_*.deb")), None) for package in packages]
    if result.status != 0 or None in files:
        raise explain(archive, result)
    progress.update(what, total, total)
    return [file for file in files if file is not None]


def find_closure(archive: Archive, names: Iterable[str]) -> list[Package]:
    """The packages `names` and all they depend on, as apt resolves them for an empty system.

    Raises `MissingError` where one of them is not there, or what it depends on.
    """
    # Else a name that is not there, linux-source-6.1, is a regular expression that finds linux-source-6.12.
    as_named = ("-o", "APT::Cmd::Pattern-Only=1")
    with locked(archive.directory / "lock"):
        result = _start(archive, ["apt-get", "install", "--print-uris", "-q", *as_named, *names])
    if result.status != 0:
        raise explain(archive, result)
    packages = []
    for _uri, file, size in _URI.findall(result.stdout):
        name, version, _arch = unquote(file).removesuffix(".deb").rsplit("_", 2)
        # What it takes unpacked is not said here; three times is what compilers come to.
        packages.append(Package(name, version, "", int(size), 3 * int(size)))
    return packages


def unpack(file: Path, root: Path) -> None:
    """Unpacks a package into a directory; nothing of it is run."""
    result = process.run(["dpkg-deb", "--extract", file, root], timeout=600)
    if result.status != 0 and "No space left" in result.stderr:
        raise no_space(root, 0)
    result.check(f"unpacking {file.name}", hint="lkm kernel add NAME fetches it again")


def check_space(directory: Path, need: int) -> None:
    """Raises `MissingError` where the disk of `directory` has less than `need` bytes to give."""
    if shutil.disk_usage(directory).free < need + (16 << 20):
        raise no_space(directory, need)


def no_space(directory: Path, need: int) -> MissingError:
    """The error that says the disk is full."""
    free = shutil.disk_usage(directory).free
    needs = f"; {need >> 20} MiB are needed" if need else ""
    return MissingError(
        f"no disk left for {cache_dir()}: {free >> 20} MiB free{needs}",
        hint="lkm kernel remove NAME, or export LKM_CACHE=/a/directory/with/room",
    )


def explain(archive: Archive, result: process.Result) -> LkmError:
    """What apt's last words mean."""
    said = f"{result.stdout}\n{result.stderr}"
    lines = [
        line[3:].strip() for sign in ("E: ", "W: ") for line in said.splitlines() if line.startswith(sign)
    ]
    first = lines[0] if lines else (said.strip().splitlines() or [f"status {result.status}"])[-1]
    if re.search(r"No space left|enough free space", said):
        return no_space(archive.directory, 0)
    if re.search(r"NO_PUBKEY|EXPKEYSIG|BADSIG|not signed|couldn't be verified|GPG error", said):
        return BadInputError(
            f"the signature of the package lists of {archive.name} is not good: {first}",
            hint="apt-get install debian-archive-keyring, if the keys of this machine are old",
        )
    if result.argv[3:4] == ("download",) and re.search(
        r"404|Not Found|not found|unexpected size|Hash Sum mismatch|No such file", said
    ):
        return StaleListsError(f"{archive.name}: {first}", hint="try again: lkm kernel add NAME")
    places = ", ".join(dict.fromkeys(source.uri for source in archive.sources))
    if re.search(r"resolv|[Cc]onnect|[Nn]etwork|timed out|Timeout", said):
        return MissingError(
            f"cannot reach the package archive {places}: {first}",
            hint="check the network; kernels already here: lkm kernel list",
        )
    return MissingError(f"the package archive {places} ({archive.name}): {first}", hint="lkm doctor")


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("LANGUAGE", "LC_MESSAGES")}
    return {**kept, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _argv(archive: Archive, argv: Sequence[str]) -> list[str]:
    return [argv[0], "-c", str(archive.directory / "apt.conf"), *argv[1:]]


def _start(archive: Archive, argv: Sequence[str]) -> process.Result:
    return process.run(_argv(archive, argv), env=_environment(), timeout=900)


def _run(archive: Archive, argv: Sequence[str]) -> process.Result:
    return _start(archive, argv).check("reading the package lists", hint="lkm doctor")
