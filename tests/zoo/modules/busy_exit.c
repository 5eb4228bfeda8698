// SPDX-License-Identifier: GPL-2.0
/*
 * Loops for ever in its exit function.
 *
 * outcome: hang
 * kind: panic
 * ending: looping exit
 * timeout: 3
 */
#include <linux/init.h>
#include <linux/module.h>

static int stop;

static int __init busy_exit_init(void)
{
	return 0;
}
module_init(busy_exit_init);

static void __exit busy_exit_exit(void)
{
	while (!READ_ONCE(stop)) /* BUG HERE */
		;
}
module_exit(busy_exit_exit);

MODULE_DESCRIPTION("Loops for ever in its exit function");
MODULE_LICENSE("GPL");
