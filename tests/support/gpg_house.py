# SPDX-License-Identifier: MIT
"""Keys made with the real gpg, in a home of their own: everybody who signs something in these tests."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MadeKey:
    """A key: its primary fingerprint, its exported public key, the home that has the secret one."""

    name: str
    fingerprint: str
    public: bytes
    house: House

    def sign(self, data: bytes, *words: str, time: str = "") -> bytes:
        """A detached, armored signature."""
        return self.house.gpg(
            "--armor", "--detach-sign", *words, user=self.fingerprint, stdin=data, time=time
        )

    def clearsign(self, data: bytes) -> bytes:
        """A text with its signature."""
        return self.house.gpg("--clearsign", user=self.fingerprint, stdin=data)


class House:
    """A GnuPG home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700, exist_ok=True)

    def gpg(self, *words: str, user: str = "", stdin: bytes | None = None, time: str = "") -> bytes:
        """Runs gpg; `time`, such as `20200101T000000`, is what it takes for now."""
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--yes", "--no-auto-check-trustdb"]
        argv += ["--pinentry-mode", "loopback", "--passphrase", "", "--trust-model", "always"]
        argv += ["--local-user", user] if user else []
        argv += ["--faked-system-time", f"{time}!"] if time else []
        env = {key: value for key, value in os.environ.items() if key != "GNUPGHOME"}
        done = subprocess.run([*argv, *words], input=stdin, capture_output=True, env=env, check=False)
        assert done.returncode == 0, (words, done.stderr.decode(errors="replace"))
        return done.stdout

    def make(
        self, name: str, address: str, *, expire: str = "0", time: str = "", subkey: bool = False
    ) -> MadeKey:
        """A new signing key, or one that signs by a subkey."""
        user = f"{name} <{address}>"
        usage = "cert" if subkey else "sign"
        self.gpg("--quick-generate-key", user, "ed25519", usage, expire, time=time)
        listed = self.gpg("--with-colons", "--list-keys", f"={user}").decode().splitlines()
        fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
        if subkey:
            self.gpg("--quick-add-key", fingerprint, "ed25519", "sign", "0", time=time)
        return self.export(name, fingerprint)

    def export(self, name: str, fingerprint: str) -> MadeKey:
        """A key as it is now."""
        return MadeKey(name, fingerprint, self.gpg("--export", fingerprint), self)

    def revoke(self, key: MadeKey) -> MadeKey:
        """The key with its owner's revocation."""
        text = (self.home / "openpgp-revocs.d" / f"{key.fingerprint}.rev").read_bytes()
        self.gpg("--import", stdin=text.replace(b"\n:-----BEGIN", b"\n-----BEGIN"))
        return self.export(key.name, key.fingerprint)

    def close(self) -> None:
        """Ends its agent."""
        subprocess.run(
            ["gpgconf", "--homedir", str(self.home), "--kill", "all"], capture_output=True, check=False
        )
