// SPDX-License-Identifier: GPL-2.0
/*
 * Leaves a notifier registered when it is unloaded.
 *
 * outcome: oops
 * kind: page-fault
 * exec: rmmod notifier_left; ifconfig lo up
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/netdevice.h>

static int told(struct notifier_block *block, unsigned long event, void *device)
{
	return NOTIFY_DONE;
}

static struct notifier_block block = {
	.notifier_call = told,
};

static int __init notifier_left_init(void)
{
	return register_netdevice_notifier(&block);
}
module_init(notifier_left_init);

static void __exit notifier_left_exit(void)
{
}
module_exit(notifier_left_exit);

MODULE_DESCRIPTION("Leaves a notifier registered when it is unloaded");
MODULE_LICENSE("GPL");
