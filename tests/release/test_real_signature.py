# SPDX-License-Identifier: MIT
"""Signatures really made, by people who work on the kernel: Debian keeps them beside its sources."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lkm.config import Config
from lkm.kernel.debian import SUITES, Debian
from lkm.release.signers import Signer
from lkm.release.value import State
from lkm.release.verify import find_signature, verify_file

pytestmark = pytest.mark.fetch
# Andrew G. Morgan, who keeps libcap at kernel.org and signs as releases of the kernel are signed.
MORGAN = "38A644698C69787344E954CE29EE848AE2CCF3F4"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Source packages of Debian's sid, fetched by apt, each unpacked as far as its key."""
    root = tmp_path_factory.mktemp("sources")
    debian = Debian(Config())
    if error := debian.missing():
        pytest.skip(error.message)
    archive = debian.archive(next(suite for suite in SUITES if suite.name == "sid"))
    for name in ("lists/partial", "cache/archives/partial"):
        (root / name).mkdir(parents=True)
    (root / "status").touch()
    base = archive.sources[0].uri
    (root / "sources.list").write_text(f"deb-src [signed-by={archive.keyring}] {base} sid main\n")
    options = [
        f"Dir::Etc::sourcelist={root}/sources.list", "Dir::Etc::sourceparts=/dev/null", f"Dir::State={root}",
        f"Dir::State::lists={root}/lists", f"Dir::Cache={root}/cache", f"Dir::State::status={root}/status",
        "APT::Sandbox::User=root", "Debug::NoLocking=1", "Acquire::Check-Valid-Until=false",
    ]  # fmt: skip
    words = [word for option in options for word in ("-o", option)]
    run_apt(*words, "update", "-q")
    fetch = ["source", "--download-only", "-q", "libcap2", "liburing"]
    run_apt(*words, *fetch, cwd=root)
    return root


def run_apt(*words: str, cwd: Path | None = None) -> None:
    done = subprocess.run(["apt-get", *words], check=False, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr


def find(sources: Path, name: str) -> tuple[Path, Path]:
    """The file that the project released, and the key that Debian's packaging has for it."""
    (orig,) = [path for path in sources.glob(f"{name}_*.orig.tar.*") if path.suffix != ".asc"]
    assert find_signature(orig) is not None, (
        f"Debian's {orig.name} has no signature any more: name another here"
    )
    (packaging,) = sources.glob(f"{name}_*.debian.tar.xz")
    key = sources / f"{name}.asc"
    argv = ["tar", "-xJOf", str(packaging), "debian/upstream/signing-key.asc"]
    key.write_bytes(subprocess.run(argv, check=True, capture_output=True).stdout)
    return orig, key


def test_over_the_tar(sources: Path, tmp_path: Path) -> None:
    path, key = find(sources, "libcap2")
    answer = verify_file(path, keyring=key, signers=[Signer(MORGAN)])
    assert answer.ok and answer.signer.startswith("Andrew G. Morgan <"), answer
    assert answer.signature is not None and answer.signature.made is not None
    # the same as no tar, so that the signature is of what is compressed
    other = tmp_path / "libcap2.tar"
    other.write_bytes(path.read_bytes()[:-1] + b"\0")
    signature = find_signature(path)
    assert (
        verify_file(other, signature=signature, keyring=key, signers=[Signer(MORGAN)]).state is not State.GOOD
    )
    changed = tmp_path / path.name
    shutil.copy(path, changed)
    with changed.open("r+b") as stream:
        stream.truncate(changed.stat().st_size - 40)
    answer = verify_file(changed, signature=signature, keyring=key, signers=[Signer(MORGAN)])
    assert answer.state is State.TRUNCATED


def test_not_one_of_the_kernel_s(sources: Path) -> None:
    path, key = find(sources, "libcap2")
    answer = verify_file(path, keyring=key)
    assert answer.state is State.WRONG_SIGNER and MORGAN in answer.message


def test_over_the_compressed_file(sources: Path) -> None:
    path, key = find(sources, "liburing")
    answer = verify_file(path, keyring=key)
    assert answer.state is State.OF_COMPRESSED, answer
