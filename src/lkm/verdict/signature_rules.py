# SPDX-License-Identifier: MIT
"""Signatures, and lockdown (kernel/module/signing.c, kernel/module_signature.c)."""

from __future__ import annotations

import struct
from errno import EBADMSG, EKEYREJECTED, EPERM

from lkm.elf import BytesSource
from lkm.module.der import DerError
from lkm.module.signature import MARKER, Verification, read_signature
from lkm.verdict.case import Case
from lkm.verdict.trust import verify_by_keys
from lkm.verdict.value import Finding, Taint

_INFO = struct.Struct(">5B3sI")
_PKCS7 = 2
_SIGN = "sign it with a key this kernel has: scripts/sign-file sha256 KEY CERTIFICATE MODULE"


def check_signature(case: Case) -> list[Finding]:
    """module_sig_check: before anything of the file is looked at; takes the signature off."""
    if case.ground.option("MODULE_SIG") is None:
        case.doubt("the signature: whether this kernel looks at signatures is not known")
    if not case.ground.option("MODULE_SIG"):
        return []
    subject = case.subject
    if not subject.data.endswith(MARKER) or subject.length <= len(MARKER):
        return _not_trusted(case, "unsigned module", "it is not signed")
    subject.length -= len(MARKER)
    if subject.length <= _INFO.size:
        return [_broken(case, "the file has nothing but a signature")]
    algorithm, hash_name, kind, signer, key, padding, size = _INFO.unpack_from(
        subject.data, subject.length - _INFO.size
    )
    if size >= subject.length - _INFO.size:
        return [_broken(case, "its signature claims to be longer than the file")]
    if kind != _PKCS7:
        said = case.warn("signature", "not-pkcs7", "module", why="its signature is of an old kind")
        return [
            said,
            *_not_trusted(case, "module with unsupported crypto", "its signature is of an old kind"),
        ]
    if algorithm or hash_name or signer or key or any(padding):
        return [case.refuse("signature", EBADMSG, "signature-info", "module", hint=_AGAIN)]
    subject.length -= size + _INFO.size
    return _check_key(case)


_AGAIN = "take the signature off (strip --strip-debug) or sign it again"


def _broken(case: Case, why: str) -> Finding:
    return case.refuse("signature", EBADMSG, why=why, hint=_AGAIN)


def _check_key(case: Case) -> list[Finding]:
    certificates = case.ground.certificates
    if certificates is None:
        case.doubt("the signature: this kernel's keys are in its image, which is not at hand")
        return []
    source = BytesSource(case.subject.data, name=str(case.path))
    try:
        signature = read_signature(source)
    except (DerError, IndexError, ValueError):
        signature = None
    if signature is None:
        return [_broken(case, "its signature cannot be read")]
    raw = case.ground.raw_certificates
    verdict = verify_by_keys(case.subject.data, signature, certificates, raw)
    case.signed = verdict is Verification.GOOD
    if verdict is Verification.GOOD:
        return []
    if verdict is Verification.OTHER_KEY:
        why = f"it is signed by {signature.signer or 'a key'}, which this kernel does not know"
        return _not_trusted(case, "module with unavailable key", why)
    if verdict is Verification.UNSUPPORTED:
        return _not_trusted(case, "module with unsupported crypto", "its signature's algorithm is not known")
    why = "it was changed after it was signed: its signature does not hold"
    return [case.refuse("signature", EKEYREJECTED, why=why, hint=_AGAIN)]


def _not_trusted(case: Case, reason: str, why: str) -> list[Finding]:
    """Unsigned, or as good as: refused where signatures are enforced, else a taint."""
    enforced = case.ground.option("MODULE_SIG_FORCE")
    asked = case.situation.word("module.sig_enforce")
    if asked is not None and asked[:1] not in ("n", "N", "0"):
        enforced = True
    if enforced is None:
        case.doubt("whether signatures are enforced (CONFIG_MODULE_SIG_FORCE)")
    if enforced:
        refusal = f"{why}, and this kernel takes signed modules only"
        hint = f"{_SIGN}; or a kernel without module.sig_enforce=1 and CONFIG_MODULE_SIG_FORCE"
        return [case.refuse("signature", EKEYREJECTED, "rejected", reason, why=refusal, hint=hint)]
    if case.situation.word("lockdown") in ("integrity", "confidentiality"):
        refusal = f"{why}, and this kernel is locked down"
        return [case.refuse("lockdown", EPERM, why=refusal, hint=_SIGN)]
    case.taints[Taint.UNSIGNED] = None
    return []
