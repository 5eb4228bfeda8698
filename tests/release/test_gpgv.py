# SPDX-License-Identifier: MIT
"""gpgv's status lines, and what is made of them."""

from __future__ import annotations

from lkm.release.gpgv import choose, parse_status
from lkm.release.signers import Signer
from lkm.release.value import State

LINUS = "ABAF11C65A2970B130ABE3C479BE3E4300411886"
SIGNERS = [Signer(LINUS, "Linus Torvalds")]
VALID = f"[GNUPG:] VALIDSIG {LINUS} 2024-11-17 1731881847 0 4 0 1 8 00 {LINUS}\n"
GOOD = "[GNUPG:] GOODSIG 79BE3E4300411886 Linus Torvalds <torvalds@kernel.org>\n"


def state(text: str) -> State:
    return choose(parse_status(text), SIGNERS).state


def test_good() -> None:
    (one,) = parse_status(f"[GNUPG:] NEWSIG\n{GOOD}{VALID}")
    assert one.user == "Linus Torvalds <torvalds@kernel.org>" and one.hash_name == "SHA256"
    assert one.made is not None and one.made.isoformat() == "2024-11-17T22:17:27+00:00"
    assert state(f"[GNUPG:] NEWSIG\n{GOOD}{VALID}") is State.GOOD


def test_good_alone_is_not_enough() -> None:
    assert state(f"[GNUPG:] NEWSIG\n{GOOD}") is State.BAD_KEY
    assert state(f"[GNUPG:] NEWSIG\n{VALID}") is State.NOT_A_SIGNATURE
    assert state("") is State.NOT_A_SIGNATURE
    assert state("[GNUPG:] NODATA 4\n") is State.NOT_A_SIGNATURE
    assert state(f"gpgv: [GNUPG:] GOODSIG x\n{GOOD.replace('[GNUPG:]', 'GNUPG')}") is State.NOT_A_SIGNATURE


def test_valid_lines_of_expired_and_revoked_keys_do_not_count() -> None:
    for word, expected in (
        ("EXPKEYSIG", State.EXPIRED_KEY),
        ("REVKEYSIG", State.REVOKED_KEY),
        ("EXPSIG", State.EXPIRED_SIGNATURE),
        ("BADSIG", State.TAMPERED),
    ):
        assert state(f"[GNUPG:] NEWSIG\n{GOOD.replace('GOODSIG', word)}{VALID}") is expected


def test_another_primary_key() -> None:
    other = VALID.replace(f"00 {LINUS}", f"00 {'0' * 40}")
    assert state(f"[GNUPG:] NEWSIG\n{GOOD}{other}") is State.WRONG_SIGNER


def test_weak_hashes() -> None:
    for number in "123":
        weak = VALID.replace(" 1 8 00", f" 1 {number} 00")
        assert state(f"[GNUPG:] NEWSIG\n{GOOD}{weak}") is State.WEAK


def test_keys_that_cannot_be_used() -> None:
    line = "[GNUPG:] ERRSIG 66D5E256AC49644D 22 8 00 1795396520 {} A72620B86B802075B8769D5066D5E256AC49644D\n"
    (one,) = parse_status(line.format(9))
    assert one.state is State.UNKNOWN_KEY and one.key == "A72620B86B802075B8769D5066D5E256AC49644D"
    assert parse_status(line.format(6))[0].state is State.BAD_KEY
    (short,) = parse_status("[GNUPG:] ERRSIG 66D5E256AC49644D 22 8 00 1795396520 9 -\n")
    assert short.key == "66D5E256AC49644D"


def test_one_bad_of_several_decides() -> None:
    bad = "[GNUPG:] NEWSIG\n[GNUPG:] BADSIG 79BE3E4300411886 Linus\n"
    good = f"[GNUPG:] NEWSIG\n{GOOD}{VALID}"
    assert state(bad + good) is State.TAMPERED and state(good + bad) is State.TAMPERED
