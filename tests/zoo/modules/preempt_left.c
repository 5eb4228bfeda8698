// SPDX-License-Identifier: GPL-2.0
/*
 * Returns from init with preemption off.
 *
 * outcome: ok
 * kind: warning
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/preempt.h>

static int __init preempt_left_init(void)
{
	preempt_disable();
	return 0;
}
module_init(preempt_left_init);

static void __exit preempt_left_exit(void)
{
}
module_exit(preempt_left_exit);

MODULE_DESCRIPTION("Returns from init with preemption off");
MODULE_LICENSE("GPL");
