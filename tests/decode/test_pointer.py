# SPDX-License-Identifier: MIT
"""Which pointer is named: only the one that is proved to have been followed."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from crash_log import compile_module, make_log

from lkm.decode import Decoded, decode_log
from lkm.decode.code import CodeFile
from lkm.klog.report import Frame

# One function a line: `p`, `first` and `big` are static, so no register is theirs.
SOURCE = """\
struct list { struct list *next; int b; };
struct state { int id; int counter[4]; struct list *list; char *text; };
struct timer { int a; };
static int *volatile p; static struct list *volatile head; static struct state *volatile s;
static void *volatile first; static struct state *volatile dst; static struct state *volatile src;
extern int work(const char *text, int number);
#define WRITE_ONCE(x, value) (*(volatile typeof(x) *)&(x) = (value))
#define swap(a, b) do { typeof(a) old = (a); (a) = (b); (b) = old; } while (0)
#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
__attribute__((noinline)) void boom(struct timer *x) { *p = 5; }
__attribute__((noinline)) int keep(int *x) { *p = 5; return *x; }
__attribute__((noinline)) void cast(struct timer *good) { *(int *)READ_ONCE(first) = good->a; }
__attribute__((noinline)) void store(struct timer *good) { *p = good->a; }
__attribute__((noinline)) int load(struct timer *good) { return *(int *)READ_ONCE(first) + good->a; }
__attribute__((noinline)) int both(int *x) { return *p + *x; }
__attribute__((noinline)) void plain(int *x) { *x = 5; }
__attribute__((noinline)) int element(void) { return s->counter[2]; }
__attribute__((noinline)) void copy(void) { dst->id = src->id; }
__attribute__((noinline)) void once(int *x) { WRITE_ONCE(head->next->b, *x); }
__attribute__((noinline)) void change(int *x) { swap(s->id, *x); }
__attribute__((noinline)) int chain(void) { return head->next->b; }
__attribute__((noinline)) void to(int *to, struct state *src) { *to = src->counter[0]; }
__attribute__((noinline)) void measured(int *x) { *p = sizeof(*x); }
__attribute__((noinline)) void local(int n) { int *x, *y = p; *y = n; work("", *y); }
__attribute__((noinline)) int crash_init(void) { return keep(p) + load(0) + element(); }
"""
capstone: Any = import_module("capstone")  # it has no type hints
GOOD = 0xFFFF888003C4A000


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_module(tmp_path_factory.mktemp("pointer"), source=SOURCE)


def decode_at(
    module: Path, function: str, text: str, *, access: str, address: int = 0, registers: dict[str, int]
) -> Decoded:
    """The report of a fault at the instruction of a function that `text` finds."""
    code = CodeFile(module)
    found = code.find(Frame(function, 0, None, "crash"))
    assert found.symbol is not None
    data = code.elf.read_section(code.elf.section(found.symbol.section))
    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    engine.syntax = capstone.CS_OPT_SYNTAX_ATT
    begin = found.symbol.value
    rows = [
        (row.address, f"{row.mnemonic} {row.op_str}")
        for row in engine.disasm(data[begin : begin + found.symbol.size], 0)
    ]
    offset = next(at for at, row in rows if re.search(text, row))
    log = make_log(
        code,
        function,
        offset,
        begin=f"BUG: kernel NULL pointer dereference, address: {address:016x}",
        registers=registers,
        caller=1,
    )
    (one,) = decode_log(log.replace("supervisor read", f"supervisor {access}"), modules=[module])
    return one


@pytest.mark.parametrize(
    ("function", "text", "access", "said"),
    [
        ("boom", r"movl \$5, \(%r", "write", "*p"),
        ("keep", r"movl \$5, \(%r", "write", "*p"),
        ("cast", r"movl %e.., \(%r", "write", ""),
        ("store", r"movl %e.., \(%r", "write", "*p"),
        ("load", r"addl \(%r", "read", ""),
        ("both", r"addl \(%r", "read", "*p"),
        ("measured", r"movl \$4, \(%r", "write", "*p"),
    ],
)
def test_a_valid_pointer_is_never_named(
    module: Path, function: str, text: str, access: str, said: str
) -> None:
    one = decode_at(module, function, text, access=access, registers={"rdi": GOOD})
    assert one.expression == said
    wrong = "x`" if function != "cast" else "good"
    assert wrong not in one.means + one.usually


def test_without_a_proof_the_sentence_has_no_name(module: Path) -> None:
    one = decode_at(module, "cast", r"movl %e.., \(%r", access="write", registers={"rdi": GOOD})
    assert one.means == "a NULL pointer was written through"
    assert "is NULL" not in one.usually


@pytest.mark.parametrize(
    ("function", "text", "access", "address", "said"),
    [
        ("plain", r"movl \$5, \(%rdi", "write", 0, "*x"),
        ("element", r"0xc\(%r", "read", 12, "s->counter[2]"),
        ("copy", r"movl %e.., \(%r", "write", 0, "dst->id"),
        ("copy", r"movl \(%r", "read", 0, "src->id"),
        ("chain", r"8\(%r", "read", 8, "head->next->b"),
        ("once", r"movl %e.., 8\(%r", "write", 8, "head->next->b"),
        ("change", r"movl %e.., \(%rdi", "write", 0, "*x"),
        ("to", r"movl %e.., \(%rdi", "write", 0, "*to"),
        ("local", r"movl %e.., \(%r", "write", 0, "*y"),
    ],
)
def test_what_is_proved_is_named(  # noqa: PLR0917
    module: Path, function: str, text: str, access: str, address: int, said: str
) -> None:
    one = decode_at(module, function, text, access=access, address=address, registers={})
    assert one.expression == said


def test_of_two_that_may_be_it_none_is_named(module: Path) -> None:
    one = decode_at(module, "both", r"addl \(%r", access="read", registers={})
    assert one.expression == ""


# gcc makes dev_size.isra.0, which is given `d->part`, and reads `p->size` in it; in joined() both loads get
# the line of part_weight(), that it puts in; fetch() reads `p->size` for part_size() before it calls it.
SPLIT = """\
struct part { int a; int b; long size; long weight; };
struct device { int id; struct part *part; };
struct holder { long count; struct part *part; };
struct device *volatile dev; struct holder *volatile holder;
extern int work(const char *text, int number);
__attribute__((noinline)) static long part_size(struct part *p) { return p->size + 1; }
__attribute__((noinline)) static long dev_size(struct device *d) { return part_size(d->part) * 2; }
static long part_weight(struct part *p)
{
    return p->size + 1;
}
static long dev_weight(struct device *d)
{
    return part_weight(d->part) * 2;
}
long joined(void)
{
    return dev_weight(dev);
}
__attribute__((noinline)) long fetch(void) { return part_size(holder->part); }
__attribute__((noinline)) long kept(struct device *d) { return work("", d->id) + d->part->weight; }
__attribute__((noinline)) int crash_init(void) { return kept(dev) + dev_size(dev) + joined(); }
"""


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_module(tmp_path_factory.mktemp("split"), source=SPLIT)


@pytest.mark.parametrize(
    ("function", "text", "wrong", "line"),
    [
        ("dev_size.isra.0", r"8\(%r", "d", 7),
        ("joined", r"8\(%r", "p", 10),
        ("fetch", r"8\(%r..\), %rdi", "holder", 20),
    ],
)
def test_what_the_compiler_moved_into_another_function_is_not_named(
    split: Path, function: str, text: str, wrong: str, line: int
) -> None:
    one = decode_at(split, function, text, access="read", address=8, registers={})
    assert one.place is not None and one.place.line == line
    assert one.expression == "" and f"`{wrong}" not in one.means + one.usually
    assert one.means == "a NULL pointer was followed, at offset 0x8"


def test_one_that_is_there_still_is(split: Path) -> None:
    one = decode_at(split, "kept", r"0x10\(%r", access="read", address=16, registers={})
    assert one.expression == "d->part->weight"
