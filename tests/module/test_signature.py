# SPDX-License-Identifier: MIT
"""Signatures made by OpenSSL and by the distribution, read and verified."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from elf_builder import build_module

from lkm.elf import BytesSource
from lkm.errors import BadInputError
from lkm.module import open_module
from lkm.module.der import DerError
from lkm.module.signature import MARKER, Signature, Verification, read_signature
from lkm.module.verify import Certificate, parse_certificate, read_certificate, verify_signature

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
KEYS = {
    "rsa": ["-newkey", "rsa:2048"],
    "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
}


def openssl(*words: str, cwd: Path) -> None:
    subprocess.run(["openssl", *words], cwd=cwd, check=True, capture_output=True)


def append(module: bytes, signature: bytes, *, id_type: int = 2) -> bytes:
    return module + signature + struct.pack(">5B3xI", 0, 0, id_type, 0, 0, len(signature)) + MARKER


def signed(tmp_path: Path, key: str, *more: str, digest: str = "sha256") -> tuple[bytes, Path]:
    """A module signed as scripts/sign-file.c does it, and the certificate."""
    subject = "/O=lkm tests/CN=A test key"
    openssl("req", "-x509", "-nodes", "-sha256", "-days", "1", "-subj", subject, *KEYS[key],
            "-keyout", "key.pem", "-out", "cert.pem", cwd=tmp_path)  # fmt: skip
    module = build_module()
    (tmp_path / "module").write_bytes(module)
    openssl("cms", "-sign", "-binary", "-nocerts", "-nosmimecap", "-outform", "DER", "-md", digest, *more,
            "-signer", "cert.pem", "-inkey", "key.pem", "-in", "module", "-out", "sig",
            cwd=tmp_path)  # fmt: skip
    return append(module, (tmp_path / "sig").read_bytes()), tmp_path / "cert.pem"


def verify(data: bytes, certificate: Certificate) -> Verification:
    source = BytesSource(data)
    return verify_signature(source, read_signature(source), certificate)


@needs_openssl
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("more", [["-noattr"], [], ["-noattr", "-keyid"]])
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_good_bad_and_other_keys(tmp_path: Path, key: str, more: list[str], digest: str) -> None:
    data, path = signed(tmp_path, key, *more, digest=digest)
    certificate = read_certificate(path)
    found = read_signature(BytesSource(data))
    assert found is not None
    assert (found.id_type, found.hash) == ("PKCS#7", digest)
    assert found.signer == ("" if "-keyid" in more else "A test key")
    assert verify(data, certificate) is Verification.GOOD
    assert verify(data[:100] + b"\xff" + data[101:], certificate) is Verification.BAD
    (tmp_path / "other").mkdir()
    _, other = signed(tmp_path / "other", key)
    assert verify(data, read_certificate(other)) is Verification.OTHER_KEY


@needs_openssl
def test_certificates_are_read_as_pem_and_der(tmp_path: Path) -> None:
    _, path = signed(tmp_path, "p256")
    openssl("x509", "-in", "cert.pem", "-outform", "DER", "-out", "cert.der", cwd=tmp_path)
    assert read_certificate(path) == read_certificate(tmp_path / "cert.der")
    (tmp_path / "bad.pem").write_text("hello")
    with pytest.raises(BadInputError, match=r"bad\.pem is not an X\.509 certificate"):
        read_certificate(tmp_path / "bad.pem")


@needs_openssl
def test_every_byte_of_a_signature_may_be_wrong(tmp_path: Path) -> None:
    data, path = signed(tmp_path, "rsa", "-noattr")
    certificate = read_certificate(path)
    start = len(build_module())
    for at in range(start, len(data), 5):
        assert verify(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :], certificate) is not None


def test_unsigned_and_malformed_ones() -> None:
    module = build_module()
    assert read_signature(BytesSource(module)) is None
    assert read_signature(BytesSource(append(module, b"not PKCS#7"))) is None
    assert read_signature(BytesSource(MARKER)) is None
    assert (
        read_signature(BytesSource(module + struct.pack(">5B3xI", 0, 0, 2, 0, 0, 1 << 31) + MARKER)) is None
    )
    old = append(module, b"raw signature", id_type=1)
    assert read_signature(BytesSource(old)) == Signature(
        "X509", "", b"", "md4", "dsa", b"raw signature", len(module)
    )


def certificates_in(image: bytes) -> list[Certificate]:
    found = []
    at = image.find(b"\x30\x82")
    while at >= 0:
        size = int.from_bytes(image[at + 2 : at + 4], "big")
        if 300 < size < 4096:
            try:
                found.append(parse_certificate(image[at : at + 4 + size]))
            except (DerError, IndexError):
                pass
        at = image.find(b"\x30\x82", at + 1)
    return found


@pytest.mark.fetch
@pytest.mark.parametrize(("name", "algorithm"), [("debian:6.1", "rsa"), ("debian:7.3", "ecdsa")])
def test_the_distribution_s_own_signatures_hold(kernel_named, name: str, algorithm: str) -> None:
    """The certificate is in the image: the kernel trusts the modules it was built with."""
    from lkm.kernel import unpack_image

    kernel = kernel_named(name)
    assert kernel.image is not None and kernel.modules is not None
    image = unpack_image(kernel.image)
    assert image is not None
    path = next(kernel.modules.rglob("dummy.ko*"))
    source = open_module(path)
    found = read_signature(source)
    assert found is not None and found.algorithm == algorithm
    answers = {verify_signature(source, found, one) for one in certificates_in(image)}
    assert Verification.GOOD in answers
    assert Verification.BAD not in answers
