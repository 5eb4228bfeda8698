# SPDX-License-Identifier: MIT
"""One verdict after another: what refuses a module, which words are told, what is left open."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest
from elf_editor import Editor
from own_maker import RELEASE, make_build, make_sources

from lkm.errors import BadInputError
from lkm.kernel.own import own_dir
from lkm.modtree import iter_module_files
from lkm.verdict import Ground, Situation, Taint, Verdict, check_bytes, check_module
from lkm.verdict.message import Messages
from lkm.verdict.rules import rules_of


def judge(data: bytes, ground: Ground, *words: str, **situation: object) -> Verdict:
    return check_bytes(data, Path("own.ko"), ground, Situation(parameters=words, **situation))  # type: ignore[arg-type]


def test_a_module_just_built_loads(ground: Ground, built: dict[str, bytes]) -> None:
    verdict = judge(built["o_plain"], ground)
    assert verdict.loads
    assert verdict.taints == (Taint.UNSIGNED, Taint.OUT_OF_TREE)
    assert not verdict.unproved
    assert (verdict.errno, verdict.error, verdict.message, verdict.rule) == (0, "", "", "")
    assert {step.rule.name for step in verdict.steps} == {rule.name for rule in rules_of(ground)}


def test_the_checks_end_at_the_one_that_refuses(ground: Ground, built: dict[str, bytes]) -> None:
    editor = Editor(built["o_plain"])
    editor.header("machine", 183)
    verdict = judge(editor.bytes(), ground)
    assert (verdict.rule, verdict.errno) == ("machine", errno.ENOEXEC)
    assert verdict.message == "Invalid architecture in ELF header: 183"
    assert "built for aarch64, this kernel is for x86_64" in verdict.findings[-1].why
    assert verdict.steps[-1].rule.name == "elf-header"


def test_no_false_alarm_on_the_kernels_own_modules(ground: Ground) -> None:
    """A sample; all of them are for bench/check.py."""
    assert ground.kernel.modules is not None
    paths = sorted(iter_module_files(ground.kernel.modules))[::40]
    verdicts = [check_module(path, ground) for path in paths]
    assert [one for one in verdicts if not one.loads or one.unproved] == []
    assert not any(Taint.UNSIGNED in one.taints for one in verdicts), "they are signed with the kernel's key"


def test_a_byte_changed_under_a_signature(ground: Ground) -> None:
    assert ground.kernel.modules is not None
    path = min(iter_module_files(ground.kernel.modules), key=lambda one: one.stat().st_size)
    from lkm.module import read_module_bytes

    data = bytearray(read_module_bytes(path))
    data[len(data) // 3] ^= 1
    verdict = judge(bytes(data), ground)
    assert (verdict.rule, verdict.error) == ("signature", "EKEYREJECTED")


@pytest.mark.parametrize(
    ("name", "rule", "told"),
    [
        ("o_not_anywhere", "no-symbol", ("there is no symbol o_not_anywhere", "lkm symbol")),
        ("_printkk", "no-symbol", ("there is no symbol _printkk", "did you mean _printk?")),
        ("tasklist_lock", "not-exported", ("tasklist_lock is in this kernel, but not exported", "")),
        ("crc7_be", "not-loaded", ("crc7_be is exported by crc7, which is not loaded", "load crc7, then")),
    ],
)
def test_missing_symbols_are_told_apart(
    ground: Ground, built: dict[str, bytes], name: str, rule: str, told: tuple[str, str]
) -> None:
    why, hint = told
    if rule == "not-loaded" and name not in ground.module_exports:
        pytest.skip(f"this kernel has no module that exports {name}")
    editor = Editor(built["o_gpl"]).rename_symbol("kobject_put", name)
    verdict = judge(editor.bytes(), ground, loaded=frozenset())
    assert (verdict.rule, verdict.error) == (rule, "ENOENT")
    assert why in verdict.findings[-1].why
    assert hint in verdict.hint
    assert verdict.message == f"o_gpl: Unknown symbol {name} (err -2)"


def test_what_a_module_needs_is_loaded_before_it(ground: Ground, built: dict[str, bytes]) -> None:
    exporter = next(name for name, offers in ground.module_exports.items() if not offers[0].namespace)
    offer = ground.module_exports[exporter][0]
    editor = Editor(built["o_gpl"]).rename_symbol("kobject_put", exporter)
    if offer.crc is not None:
        crc = offer.crc
        editor.change_versions(lambda name, own: (exporter, crc) if name == "kobject_put" else (name, own))
    verdict = judge(editor.bytes(), ground)
    assert verdict.loads
    assert verdict.order[-1] == offer.owner


def test_gpl_only_and_the_licence_is_not(ground: Ground, built: dict[str, bytes]) -> None:
    closed = Editor(built["o_gpl"]).set_information("license", "Proprietary").bytes()
    verdict = judge(closed, ground)
    assert (verdict.rule, verdict.errno) == ("gpl-only", errno.ENOENT)
    assert (
        "exported to GPL-compatible modules only, and its licence is 'Proprietary'"
        in verdict.findings[-1].why
    )
    assert "MODULE_LICENSE" in verdict.hint


def test_the_last_symbol_that_fails_gives_the_errno(ground: Ground, built: dict[str, bytes]) -> None:
    editor = Editor(built["o_gpl"]).rename_symbol("kobject_put", "o_one")
    editor.rename_symbol("kobject_create_and_add", "o_two")
    verdict = judge(editor.bytes(), ground)
    assert len(verdict.message.splitlines()) == 2
    assert verdict.errno == errno.ENOENT


def test_parameters_are_judged_as_the_kernel_does(ground: Ground, built: dict[str, bytes]) -> None:
    assert judge(built["o_params"], ground, "number=5").loads
    wrong = judge(built["o_params"], ground, "number=5x", "small=256")
    assert wrong.error == "ERANGE"
    assert wrong.message == (
        "o_params: `5x' invalid for parameter `number'\no_params: `256' invalid for parameter `small'"
    )
    ignored = judge(built["o_params"], ground, "numbr=5")
    assert ignored.loads
    assert [one.hint for one in ignored.warnings if one.rule == "unknown-parameter"] == [
        "did you mean number?"
    ]
    assert judge(built["o_params"], ground, "own=x").unproved


def test_the_kernels_command_line_counts(ground: Ground, built: dict[str, bytes]) -> None:
    enforced = judge(built["o_plain"], ground, cmdline="quiet module.sig_enforce=1")
    assert (enforced.error, enforced.message) == ("EKEYREJECTED", "Loading of unsigned module is rejected")
    listed = judge(built["o_plain"], ground, cmdline="module_blacklist=other,o_plain")
    assert (listed.error, listed.rule) == ("EPERM", "blacklist")
    locked = judge(built["o_plain"], ground, cmdline="lockdown=integrity")
    assert (locked.error, locked.rule, locked.message) == ("EPERM", "lockdown", "")


def test_a_name_that_is_taken(ground: Ground, built: dict[str, bytes]) -> None:
    verdict = judge(built["o_plain"], ground, loaded=frozenset({"o_plain"}))
    assert (verdict.error, verdict.rule, verdict.hint) == ("EEXIST", "same-name", "rmmod o_plain")
    assert ground.in_sysfs
    taken = judge(Editor(built["o_plain"]).set_name("printk").bytes(), ground)
    assert (taken.error, taken.rule) == ("EINVAL", "in-sysfs")


def test_the_kernel_it_was_built_for_has_a_name_that_means_it(
    ground: Ground, built: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path))
    other = Editor(built["o_plain"]).set_information("vermagic", f"{RELEASE} SMP mod_unload ").bytes()
    strict = replace(ground, options=dict(ground.options) | {"MODVERSIONS": False})

    def hint() -> str:
        return judge(other, strict).hint.partition("; or take ")[2]

    assert hint() == f"the kernel it was built for, {RELEASE}, which no kernel here is by name: --kernel DIR"
    sources = make_sources()
    one = make_build(own_dir() / "one", sources)
    assert hint() == "the kernel here of the release it was built for: --kernel own:one"
    make_build(own_dir() / "two", sources)
    assert hint() == "one of the release it was built for: --kernel own:one or own:two"
    strict = replace(strict, kernel=replace(strict.kernel, build=one))
    assert hint().endswith("--kernel own:two"), "it is another build than this kernel's own"


def test_what_cannot_be_known_is_said_and_refuses_nothing(ground: Ground, built: dict[str, bytes]) -> None:
    bare = replace(
        ground,
        messages=Messages(None),
        vermagic=None,
        struct_size=None,
        options={},
        exports=None,
        module_exports={},
        in_sysfs=None,
        certificates=None,
        types=None,
    )
    verdict = judge(built["o_gpl"], bare)
    assert verdict.loads
    told = " ".join(verdict.unproved)
    for word in ("signature", "struct module", "version magic", "symbols this kernel exports"):
        assert word in told


def test_each_check_that_other_kernels_have(ground: Ground, built: dict[str, bytes]) -> None:
    """Two that none of the three kernels of the oracle can show."""
    without = replace(ground, options=dict(ground.options) | {"LIVEPATCH": False})
    patch = Editor(built["o_plain"]).add_information("livepatch=Y").bytes()
    verdict = judge(patch, without)
    assert (verdict.rule, verdict.error) == ("livepatch", "ENOEXEC")
    assert "livepatch support is disabled" in verdict.message
    both = (
        Editor(built["o_plain"]).add_section(".ctors", bytes(8)).add_section(".init_array", bytes(8)).bytes()
    )
    with_them = replace(ground, options=dict(ground.options) | {"CONSTRUCTORS": True})
    assert judge(both, with_them).rule == "constructors"
    strict = replace(ground, options=dict(ground.options) | {"MODULE_FORCE_LOAD": False})
    assert (
        judge(Editor(built["o_plain"]).set_information("vermagic", None).bytes(), strict).rule == "vermagic"
    )


@pytest.mark.parametrize("size", [0, 1, 63, 64, 100, 4000])
def test_whatever_is_left_of_a_file_is_judged(ground: Ground, built: dict[str, bytes], size: int) -> None:
    verdict = judge(built["o_plain"][:size], ground)
    assert not verdict.loads
    assert verdict.module


def test_a_file_that_is_not_there(ground: Ground, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"gone\.ko"):
        check_module(tmp_path / "gone.ko", ground)
