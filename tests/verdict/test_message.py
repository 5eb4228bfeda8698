# SPDX-License-Identifier: MIT
"""The kernel's own words, out of an image or out of the table."""

from __future__ import annotations

from lkm.verdict.message import Messages, find_texts

IMAGE = (
    b"\0\x013module: x86/modules: Skipping invalid relocation target, existing value is nonzero for type %d, "
    b"loc %p, val %Lx\n\0kexec: %s: Unknown rela relocation: %llu\n\0"
    b"\x014%s: module uses symbol (%s) from namespace %s, but does not import it.\n\0"
    b"\x013ELF Spec violation: section 0 type(%d)!=SH_NULL or non-zero len or addr\n\0"
)


def test_an_image_tells_which_checks_there_are() -> None:
    messages = Messages(find_texts(IMAGE))
    assert messages.has("relocation-target") is True
    assert messages.has("module-size") is False
    assert messages.has("relocation-type") is False, "kexec's is another"
    assert messages.level("namespace") == "4", "a warning: a namespace need not be imported there"
    assert Messages(None).has("module-size") is None


def test_values_are_put_in_as_the_kernel_prints_them() -> None:
    messages = Messages(find_texts(IMAGE))
    assert messages.say("section-zero", 0x90909090).startswith(
        "ELF Spec violation: section 0 type(-1869574000)!"
    )
    said = messages.say("relocation-target", 1, None)
    assert said == (
        "module: x86/modules: Skipping invalid relocation target, existing value is nonzero for type 1, loc …"
    )
    assert Messages(None).say("unknown-symbol", "own", "gone", -2) == "own: Unknown symbol gone (err -2)"
