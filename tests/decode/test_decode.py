# SPDX-License-Identifier: MIT
"""Reports decoded: lines, what was followed, what a value stands for, and what is missing is said."""

from __future__ import annotations

import gzip
import lzma
import os
import re
import subprocess
from pathlib import Path

import pytest
from crash_log import SOURCE, compile_module, find_offset, line_of, make_log

import lkm
from lkm.decode import Decoded, decode_log
from lkm.decode.code import CodeFile
from lkm.decode.poison import explain_value
from lkm.decode.source import read_excerpt
from lkm.decode.words import WORDS
from lkm.errors import BadInputError
from lkm.kernel import Kernel
from lkm.klog.report import Frame, Kind

LOGS = Path(__file__).parents[1] / "klog" / "logs"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    return compile_module(tmp_path)


def null_log(module: Path, **more: object) -> str:
    code = CodeFile(module)
    offset, _ = find_offset(code, "show", line_of("FIELD"))
    return make_log(code, "show", offset, **more)  # type: ignore[arg-type]


def decode_one(log: str, *modules: Path) -> Decoded:
    (one,) = decode_log(log, modules=modules)
    return one


def test_a_null_pointer_is_shown_at_its_line_with_what_was_followed(module: Path) -> None:
    one = decode_one(null_log(module), module)
    assert one.report.kind is Kind.NULL_POINTER
    assert one.place is not None and one.place.line == line_of("FIELD")
    assert one.place.function == "name_length" and one.place.inlined
    assert one.expression == "dev->name"
    assert one.means == "a NULL pointer was followed: `dev->name` (offset 0x10 of struct device_state)"
    assert "`dev` is NULL" in one.usually
    assert not one.notes


def test_inlined_callers_come_with_the_innermost_first(module: Path) -> None:
    here, trace = decode_one(null_log(module), module).walks
    lines = [(line.function, line.line, line.inlined) for line in here.steps[0].lines]
    assert lines == [("name_length", line_of("FIELD"), True), ("show", line_of("CALL"), False)]
    assert trace.steps[0].lines[-1].function == "crash_init"
    assert trace.steps[0].lines[-1].line == line_of("INIT")
    assert not trace.steps[-1].lines  # the kernel's own


def test_a_caller_is_shown_at_the_line_of_its_call(module: Path) -> None:
    code = CodeFile(module)
    after, size = find_offset(code, "twice", line_of("SECOND"))
    log = re.sub(r"crash_init\+0x\w+/0x\w+ ", f"twice+{after:#x}/{size:#x} ", null_log(module))
    (step, *_) = decode_one(log, module).walks[1].steps
    assert step.lines[0].line == line_of("FIRST")


def test_the_instruction_is_marked_among_its_neighbours_with_its_registers(module: Path) -> None:
    one = decode_one(null_log(module), module)
    (marked,) = [row for row in one.instructions if row.marked]
    assert "0x10(%rdi)" in marked.text
    assert len(one.instructions) > 2
    assert [(row.name, row.value, row.meaning) for row in one.registers] == [("rdi", 0, "NULL")]


def test_where_the_kernel_could_not_read_the_instruction_the_file_has_it(module: Path) -> None:
    code = CodeFile(module)
    offset, _ = find_offset(code, "show", line_of("FIELD"))
    begin = "BUG: kernel NULL pointer dereference, address: 000000000000000e"
    log = make_log(code, "show", offset, with_code=False, begin=begin, registers={"rdi": (1 << 64) - 2})
    one = decode_one(log, module)
    (marked,) = [row for row in one.instructions if row.marked]
    assert "0x10(%rdi)" in marked.text
    assert "ERR_PTR(-ENOENT)" in one.registers[0].meaning
    assert "`dev->name`: `dev` is ERR_PTR(-ENOENT)" in one.means and "NULL pointer" not in one.means
    assert not decode_one(log).instructions


def test_the_source_around_it_is_shown(module: Path) -> None:
    excerpt = decode_one(null_log(module), module).excerpt
    assert excerpt is not None and excerpt.path == module.with_suffix(".c")
    assert "/* FIELD */" in excerpt.lines[excerpt.marked - excerpt.first]
    assert not excerpt.newer


def test_a_source_that_was_moved_is_found_beside_the_module(module: Path, tmp_path: Path) -> None:
    log = null_log(module)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "crash.c").write_text(SOURCE)
    module.rename(moved / "crash.ko")
    module.with_suffix(".c").unlink()
    excerpt = decode_one(log, moved / "crash.ko").excerpt
    assert excerpt is not None and excerpt.path == moved / "crash.c"


def test_a_source_that_changed_since_is_told(module: Path) -> None:
    log = null_log(module)
    source = module.with_suffix(".c")
    os.utime(source, (module.stat().st_mtime + 100,) * 2)
    one = decode_one(log, module)
    assert one.excerpt is not None and one.excerpt.newer
    assert any("changed after the module was built" in note for note in one.notes)


@pytest.mark.fetch
def test_of_a_module_of_ours_the_contents_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: Kernel
) -> None:
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "crash"
    source.mkdir()
    (source / "Kbuild").write_text("obj-m := crash.o\n")
    text = '#include <linux/module.h>\nMODULE_DESCRIPTION("a test");\nMODULE_LICENSE("GPL");\n'
    (source / "crash.c").write_text(text)

    def is_newer(module: Path) -> bool:
        excerpt = read_excerpt(source / "crash.c", 2, module=module)
        assert excerpt is not None
        return excerpt.newer

    (module,) = lkm.build(source, kernel=kernel).modules
    later = module.stat().st_mtime + 100
    os.utime(source / "crash.c", (later, later))  # as a fresh clone does
    assert not is_newer(module)
    (source / "crash.c").write_text("\n" + text)
    os.utime(source / "crash.c", (later, later))
    assert is_newer(module)
    (module,) = lkm.build(source, kernel=kernel).modules
    os.utime(module, (later - 200, later - 200))  # the copy is of a build after the module's
    assert is_newer(module)


def test_a_source_that_is_nowhere_is_told(module: Path) -> None:
    log = null_log(module)
    module.with_suffix(".c").unlink()
    one = decode_one(log, module)
    assert one.excerpt is None and one.place is not None and one.place.line == line_of("FIELD")
    assert any("neither at" in note for note in one.notes)


def test_another_build_of_the_module_is_not_believed(module: Path) -> None:
    log = null_log(module)
    other = SOURCE.replace("work(dev->name, 1)", "work(dev->name, 1) + work(dev->name, id_of(dev))")
    other = other.replace(
        "static inline int name", "int id_of(struct device_state *);\nstatic inline int name"
    )
    compile_module(module.parent, source=other)
    one = decode_one(log, module)
    assert one.place is None
    assert any("not the module that crashed, or was built anew since" in note for note in one.notes)
    assert any("show takes" in note for note in one.notes)


def test_other_instructions_of_the_same_size_are_not_believed(module: Path) -> None:
    code = CodeFile(module)
    offset, _ = find_offset(code, "set", line_of("STAR"))
    log = make_log(
        code, "set", offset, begin="BUG: kernel NULL pointer dereference, address: 0000000000000000"
    )
    assert decode_one(log, module).place is not None
    before, _, dump = log.partition("Code: ")
    first, _, rest = dump.partition("\n")
    changed = " ".join(word if word[0] == "<" else f"{int(word, 16) ^ 0x55:02x}" for word in first.split())
    one = decode_one(f"{before}Code: {changed}\n{rest}", module)
    assert one.place is None and any("other instructions" in note for note in one.notes)


def test_without_the_module_it_says_what_can_be_said(module: Path) -> None:
    one = decode_one(null_log(module))
    assert one.place is None and one.means == "a NULL pointer was followed, at offset 0x10"
    assert any("--module crash.ko" in note for note in one.notes)
    assert one.instructions


def test_a_module_that_the_log_names_is_no_wrong_one(module: Path) -> None:
    log = null_log(module).replace("do_one_initcall+0x59/0x220", "other_call+0x59/0x220 [other]")
    one = decode_one(log, module)
    assert one.place is not None
    assert one.notes == ("no source lines of other: its .ko was not given (--module other.ko)",)
    log = log.replace("[crash]", "[gone]")
    assert "crash.ko is the module crash; the log has gone" in decode_one(log, module).notes[0]


def test_without_debug_information_it_says_so(module: Path) -> None:
    log = null_log(module)
    subprocess.run(["strip", "-g", str(module)], check=True)
    one = decode_one(log, module)
    assert one.place is None
    assert any("has no debug information" in note for note in one.notes)


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_compressed_modules_are_read(module: Path, suffix: str) -> None:
    log = null_log(module)
    packed = module.with_name(module.name + suffix)
    if suffix == ".zst":
        import zstandard

        packed.write_bytes(zstandard.ZstdCompressor().compress(module.read_bytes()))
    else:
        pack = gzip.compress if suffix == ".gz" else lzma.compress
        packed.write_bytes(pack(module.read_bytes()))
    module.unlink()
    one = decode_one(log, packed)
    assert one.place is not None and one.place.line == line_of("FIELD")


def test_the_one_of_a_directory_that_fits_is_taken(module: Path, tmp_path: Path) -> None:
    log = null_log(module)
    for name in ("old", "other"):
        place = tmp_path / "many" / name
        place.mkdir(parents=True)
        old = SOURCE.replace("name_length(dev) + id", "name_length(dev) + id + work(dev->name, 2)")
        compile_module(place, source=old if name == "old" else SOURCE)
    one = decode_one(log, tmp_path / "many")
    assert one.excerpt is not None and one.excerpt.path.parent.name == "other"


def test_a_division_by_zero_names_the_divisor(module: Path) -> None:
    code = CodeFile(module)
    offset, _ = find_offset(code, "share", line_of("DIVIDE"))
    log = make_log(code, "share", offset, begin="divide error: 0000 [#1] PREEMPT SMP NOPTI")
    one = decode_one(log, module)
    assert one.means == "a division by zero: `dev->parts` is 0"


@pytest.mark.parametrize(
    ("value", "begin", "said"),
    [
        (-12, "BUG: unable to handle page fault for address: fffffffffffffff4", "ERR_PTR(-ENOMEM)"),
        (
            0x6B6B6B6B6B6B6B6B,
            "general protection fault, probably for non-canonical address 0x6b6b6b6b6b6b6b6b: 0000 [#1] SMP",
            "memory that was freed",
        ),
        (
            0xDEAD000000000100,
            "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP",
            "list_del() had removed",
        ),
        (0x7FFE9B9F7FBB, "BUG: unable to handle page fault for address: 00007ffe9b9f7fbb", "user space"),
    ],
)
def test_what_a_pointers_value_stands_for_is_told(module: Path, value: int, begin: str, said: str) -> None:
    code = CodeFile(module)
    offset, _ = find_offset(code, "set", line_of("STAR"))
    log = make_log(code, "set", offset, begin=begin, registers={"rdi": value & (1 << 64) - 1})
    one = decode_one(log, module)
    assert said in one.means and "`*where`" in one.means
    assert one.place is not None and one.place.line == line_of("STAR")


def test_values_that_stand_for_something() -> None:
    assert explain_value(0).name == "null"  # type: ignore[union-attr]
    assert explain_value((1 << 64) - 22).text == "ERR_PTR(-EINVAL)"  # type: ignore[union-attr]
    assert explain_value(0x6B6B6B6B6B6B6B83).name == "freed"  # type: ignore[union-attr]
    assert explain_value(0xFFFF888003C4A000) is None


def test_the_first_report_is_the_cause(module: Path) -> None:
    log = null_log(module)
    first, second = decode_log(log + log, modules=[module])
    assert not first.follows and second.follows


def test_a_log_without_a_report_has_none() -> None:
    assert decode_log("[    1.000000] hello: all is well\n") == ()


def test_what_is_no_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "crash.ko"
    path.write_text("no module")
    with pytest.raises(BadInputError, match="not an ELF file"):
        decode_log("", modules=[path])


def test_every_kind_has_its_words() -> None:
    assert set(WORDS) == set(Kind)
    assert all(words.means and not words.means.endswith(".") for words in WORDS.values())


def kfence_log(module: Path, *opening: str, function: str, line: str) -> str:
    """What mm/kfence/report.c prints; the first frame is where the call after that line's returns to."""
    code = CodeFile(module)
    offset, size = find_offset(code, function, line_of(line))
    show = code.find(Frame("show", 0, None, "crash"))
    assert show.symbol is not None
    lines = [
        "=" * 66,
        f"BUG: KFENCE: {opening[0]} in {function}+{offset:#x}/{size:#x} [crash]",
        "",
        opening[1],
        f" {function}+{offset:#x}/{size:#x} [crash]",
        " do_one_initcall+0x5b/0x320",
        "",
        "kfence-#253: 0x00000000e29c9624-0x00000000a1fa842f, size=32, cache=kmalloc-32",
        "",
        "allocated by task 120 on cpu 0 at 6.241568s (0.012377s ago):",
        f" show+0x0/{code._size(show.symbol):#x} [crash]",
        " do_one_initcall+0x5b/0x320",
        "",
        "freed by task 120 on cpu 0 at 6.241601s (0.013673s ago):",
        f" {function}+{offset:#x}/{size:#x} [crash]",
        "",
        "CPU: 0 UID: 0 PID: 120 Comm: insmod Tainted: G           OE      6.12.117 #1",
        "=" * 66,
    ]
    return "".join(f"[    3.{number:06}] {one}\n" for number, one in enumerate(lines, 100))


def test_kfence_finds_overwritten_bytes_when_the_object_is_freed(module: Path) -> None:
    corrupted = "Corrupted memory at 0x00000000e29c9624 [ ! . . . . . . . ] (in kfence-#253):"
    log = kfence_log(module, "memory corruption", corrupted, function="twice", line="SECOND")
    one = decode_one(log, module)
    assert one.place is not None and one.place.line == line_of("FIRST")
    assert one.means == (
        "bytes beside an object of 32 bytes were overwritten, which was noticed when it was freed"
        f" (allocated by show() at crash.c:{line_of('CALL') - 1})"
    )


def test_kfence_names_the_caller_of_an_invalid_free(module: Path) -> None:
    said = "Invalid free of 0x00000000e29c9624 (in kfence-#253):"
    one = decode_one(kfence_log(module, "invalid free", said, function="twice", line="SECOND"), module)
    assert one.place is not None and one.place.line == line_of("FIRST")


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        ("32B right", "written right behind an object of 32 bytes"),
        ("33B right", "written 1 byte after an object of 32 bytes"),
        ("40B right", "written 8 bytes after an object of 32 bytes"),
        ("4B left", "written 4 bytes before an object of 32 bytes"),
    ],
)
def test_kfence_counts_from_the_beginning_of_an_object(module: Path, distance: str, said: str) -> None:
    opening = f"Out-of-bounds write at 0x00000000e29c9624 ({distance} of kfence-#253):"
    log = kfence_log(module, "out-of-bounds write", opening, function="set", line="STAR")
    one = decode_one(log, module)
    assert said in one.means
    assert one.place is not None and one.place.line == line_of("STAR")


@pytest.mark.parametrize("path", sorted(LOGS.glob("*-*.txt")), ids=lambda path: path.stem)
def test_every_golden_log_is_put_into_words(path: Path) -> None:
    text = "".join(line for line in path.read_text().splitlines(keepends=True) if line[0] != "#")
    for one in decode_log(text):
        assert one.means and "None" not in one.means
        assert "\n" not in one.means + one.usually
