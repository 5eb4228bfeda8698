# SPDX-License-Identifier: MIT
"""Verifying a release, beside the same by hand: `python bench/verify.py FILE.tar.xz [--runs N] [--json]`.

FILE is any compressed tar of a kernel's sources; it is signed here with a key made for it. By turns: `xz -dc
FILE | gpgv`, and the whole command `lkm kernel verify FILE`; wall time, and processor time of all processes,
which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measure import Series, Target, report

LKM = [sys.executable, "-c", "from lkm.cli import main; main()", "kernel", "verify", "--offline"]


def gpg(home: Path, *words: str) -> bytes:
    """gpg with a home of its own."""
    argv = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", "", *words]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def sign(file: Path, home: Path) -> tuple[Path, Path, str]:
    """The signature of the tar in `file`, a keyring, and the fingerprint, made in `home`."""
    gpg(home, "--quick-generate-key", "bench <bench@example.org>", "rsa4096", "sign", "0")
    listed = gpg(home, "--with-colons", "--list-keys").decode().splitlines()
    fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
    keyring, signature = home / "keys.gpg", home / "tar.sign"
    keyring.write_bytes(gpg(home, "--export"))
    command = f"xz -dc {shlex.quote(str(file))} | gpg --homedir {shlex.quote(str(home))} --batch --quiet"
    subprocess.run(f"{command} --armor --detach-sign --output {signature}", shell=True, check=True)
    return signature, keyring, fingerprint


def measure(job: Callable[[], None]) -> tuple[float, float]:
    """Wall seconds, and processor seconds of the processes that `job` started and waited for."""
    before, start = os.times(), time.perf_counter()
    job()
    took, after = time.perf_counter() - start, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return took, used


def main() -> None:
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        signature, keyring, fingerprint = sign(words.file, home)
        hand = (
            f"xz -dc {shlex.quote(str(words.file))} | gpgv --homedir {home} --keyring {keyring} {signature} -"
        )
        ours = [*LKM, "--signature", str(signature), "--keyring", str(keyring), "--signer", fingerprint]

        def by_hand() -> None:
            subprocess.run(hand, shell=True, check=True, capture_output=True)

        def by_lkm() -> None:
            subprocess.run([*ours, str(words.file)], check=True, capture_output=True)

        by_hand()  # so that the file is in memory for both
        pairs = []
        for number in range(words.runs):
            jobs = (by_hand, by_lkm) if number % 2 == 0 else (by_lkm, by_hand)
            measured = {job: measure(job) for job in jobs}
            pairs.append((measured[by_hand], measured[by_lkm]))
            print(f"\r{number + 1}/{words.runs}  ", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        gpg_agent = ["gpgconf", "--homedir", str(home), "--kill", "all"]
        subprocess.run(gpg_agent, check=False, capture_output=True)
    rows = [
        Series("xz -dc \\| gpgv", tuple(one[0] for one, _ in pairs)),
        Series("lkm kernel verify", tuple(two[0] for _, two in pairs)),
        Series("xz -dc \\| gpgv, processor", tuple(one[1] for one, _ in pairs)),
        Series("lkm kernel verify, processor", tuple(two[1] for _, two in pairs)),
    ]
    wall = statistics.median(two[0] / one[0] for one, two in pairs)
    used = statistics.median(two[1] / one[1] for one, two in pairs)
    targets = [
        Target("lkm kernel verify / (xz -dc \\| gpgv), wall", wall, 1.1),
        Target("the same, processor time", used, 1.1),
    ]
    report(rows, targets, as_json=words.json)


if __name__ == "__main__":
    main()
