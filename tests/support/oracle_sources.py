# SPDX-License-Identifier: MIT
"""Small module sources (GPL-2.0) that the cases of the oracle are made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import lkm
from lkm.kernel import Kernel

_HEAD = """// SPDX-License-Identifier: GPL-2.0
#include <linux/module.h>
#include <linux/init.h>
#include <linux/percpu.h>
#include <linux/kobject.h>
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("made to be loaded or refused");
"""
_INIT = "static int __init own_init(void) { return %s; }\nmodule_init(own_init);\n"
_EXIT = "static void __exit own_exit(void) { }\nmodule_exit(own_exit);\n"
_BOTH = _INIT % "0" + _EXIT

SOURCES: dict[str, str] = {
    "o_plain": _BOTH,
    "o_noexit": _INIT % "0",
    "o_empty": "",
    "o_fails": _INIT % "-EIO" + _EXIT,
    "o_positive": _INIT % "7" + _EXIT,
    "o_params": """
static int number = 1; module_param(number, int, 0644);
static unsigned char small; module_param(small, byte, 0444);
static short half; module_param(half, short, 0);
static unsigned int count = 3; module_param(count, uint, 0600);
static long wide; module_param(wide, long, 0444);
static unsigned long mask; module_param(mask, ulong, 0444);
static unsigned long long huge; module_param(huge, ullong, 0444);
static bool on; module_param(on, bool, 0644);
static bool off; module_param_named(inverted, off, invbool, 0644);
static char *text = "none"; module_param(text, charp, 0444);
static char word[8] = "abc"; module_param_string(word, word, sizeof(word), 0444);
static int list[3]; static int given; module_param_array(list, int, &given, 0444);
static int risky; module_param_unsafe(risky, int, 0444);
static int own_set(const char *value, const struct kernel_param *kp)
{ return value && *value == 'x' ? -ERANGE : 0; }
static const struct kernel_param_ops own_ops = { .set = own_set };
module_param_cb(own, &own_ops, NULL, 0200);
"""
    + _BOTH,
    "o_gpl": "static struct kobject *k;\nstatic int __init own_init(void)"
    " { k = kobject_create_and_add(\"o_gpl\", NULL); return 0; }\nmodule_init(own_init);\n"
    "static void __exit own_exit(void) { kobject_put(k); }\nmodule_exit(own_exit);\n",
    "o_export": "int o_free(int x) { return x + 1; }\nEXPORT_SYMBOL(o_free);\n"
    "int o_closed(int x) { return x + 2; }\nEXPORT_SYMBOL_GPL(o_closed);\n" + _BOTH,
    "o_user": "extern int o_free(int); extern int o_closed(int);\n" + _INIT % "o_free(o_closed(-3))" + _EXIT,
    "o_free_user": "extern int o_free(int);\n" + _INIT % "o_free(-1)" + _EXIT,
    "o_both_user": "extern int o_free(int);\nstatic struct kobject *k;\nstatic int __init own_init(void)"
    " { k = kobject_create_and_add(\"o_both\", NULL); return o_free(-1); }\nmodule_init(own_init);\n"
    "static void __exit own_exit(void) { kobject_put(k); }\nmodule_exit(own_exit);\n",
    "o_weak": "extern int o_never(int) __attribute__((weak));\n" + _INIT % "o_never ? o_never(0) : 0" + _EXIT,
    "o_missing": "extern int o_not_there(int);\n" + _INIT % "o_not_there(0)" + _EXIT,
    "o_hidden": "extern int nr_processes(void);\n" + _INIT % "nr_processes() < 0" + _EXIT,
    "o_two_missing": "extern int o_gone_one(int); extern int o_gone_two(int);\n"
    + _INIT % "o_gone_one(o_gone_two(0))" + _EXIT,
    "o_percpu": "static DEFINE_PER_CPU(long, own_count);\n" + _INIT % "this_cpu_read(own_count)" + _EXIT,
    "o_percpu_big": "struct big { char room[12000]; };\nstatic DEFINE_PER_CPU(struct big, own_big);\n"
    + _INIT % "this_cpu_read(own_big.room[3])" + _EXIT,
    "o_absolute": "int o_target = 1;\n"
    "asm(\".pushsection .data\\n .long o_target\\n .popsection\");\n" + _BOTH,
    "o_pointer": "int o_target = 1;\n"
    "static int *volatile where = &o_target;\n" + _INIT % "*where - 1" + _EXIT,
    "o_wx": "asm(\".pushsection .o_wx, \\\"awx\\\"\\n .long 0\\n .popsection\");\n" + _BOTH,
    "o_common": "int o_shared;\n" + _INIT % "o_shared" + _EXIT,
    "o_staging": "MODULE_INFO(staging, \"Y\");\n" + _BOTH,
    "o_test": "MODULE_INFO(test, \"Y\");\n" + _BOTH,
    "o_intree": "MODULE_INFO(intree, \"Y\");\n" + _BOTH,
    "o_space": "MODULE_INFO(import_ns, \"O_SPACE\");\n"
    "extern int o_spaced(int);\n" + _INIT % "o_spaced(-1)" + _EXIT,
    "o_spacer": "int o_spaced(int x) { return x + 1; }\nEXPORT_SYMBOL_NS(o_spaced, SPACE);\n" + _BOTH,
    "o_big": "static char own_room[1 << 20];\n" + _INIT % "own_room[5]" + _EXIT,
}  # fmt: skip


def build_sources(kernel: Kernel, directory: Path, *, names: Iterable[str] = SOURCES) -> dict[str, bytes]:
    """The modules of the sources for one kernel, by name; written to and built below `directory`."""
    chosen = {name: SOURCES[name] for name in names}
    key = hashlib.sha256(repr(chosen).encode()).hexdigest()[:12]
    directory /= key  # what changed is built anew as a whole
    directory.mkdir(parents=True, exist_ok=True)
    version = tuple(map(int, kernel.release.replace("-", ".").split(".")[:2]))
    space = '"O_SPACE"' if version >= (6, 13) else "O_SPACE"  # a text since then
    lines = [
        "ccflags-y += -Wno-missing-prototypes -Wno-missing-declarations",
        "CFLAGS_o_common.o += -fcommon",
    ]
    for name, source in chosen.items():
        (directory / f"{name}.c").write_text(_HEAD + source.replace(", SPACE)", f", {space})"))
        lines.append(f"obj-m += {name}.o")
    (directory / "Kbuild").write_text("\n".join(lines) + "\n")
    # modpost lets symbols be missing: the kernel is to say so.
    built = lkm.build(directory, kernel=kernel, make_words=["KBUILD_MODPOST_WARN=1"])
    assert built.ok, built.log
    return {path.stem: path.read_bytes() for path in built.modules}
