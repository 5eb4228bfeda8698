// SPDX-License-Identifier: GPL-2.0
/* Forgets a notifier. */
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/reboot.h>

static int left_told(struct notifier_block *block, unsigned long event, void *data)
{
	return NOTIFY_DONE;
}
static struct notifier_block left_block = { .notifier_call = left_told };

static int __init left_notifier_init(void)
{
	return register_reboot_notifier(&left_block);
}
module_init(left_notifier_init);

static void __exit left_notifier_exit(void)
{
	pr_info("left_notifier: bye\n");
}
module_exit(left_notifier_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a notifier.");
