// SPDX-License-Identifier: GPL-2.0
/* Forgets a kprobe. */
#include <linux/module.h>
#include <linux/kprobes.h>

static int left_seen(struct kprobe *probe, struct pt_regs *regs)
{
	return 0;
}
static struct kprobe left_probe = { .symbol_name = "do_fchmodat", .pre_handler = left_seen };

static int __init left_kprobe_init(void)
{
	return register_kprobe(&left_probe);
}
module_init(left_kprobe_init);

static void __exit left_kprobe_exit(void)
{
	pr_info("left_kprobe: bye\n");
}
module_exit(left_kprobe_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a kprobe.");
