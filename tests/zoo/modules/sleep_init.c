// SPDX-License-Identifier: GPL-2.0
/*
 * Sleeps for a day in its init function.
 *
 * outcome: hang
 * kind: stack-trace
 * ending: asleep init
 * timeout: 3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/delay.h>

static int __init sleep_init_init(void)
{
	msleep(24 * 3600 * 1000); /* BUG HERE */
	return 0;
}
module_init(sleep_init_init);

static void __exit sleep_init_exit(void)
{
}
module_exit(sleep_init_exit);

MODULE_DESCRIPTION("Sleeps for a day in its init function");
MODULE_LICENSE("GPL");
