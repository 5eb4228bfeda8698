// SPDX-License-Identifier: GPL-2.0
/*
 * Loops for ever in its init function.
 *
 * outcome: hang
 * kind: panic
 * ending: looping init
 * timeout: 3
 */
#include <linux/init.h>
#include <linux/module.h>

static int stop;

static int __init busy_init_init(void)
{
	while (!READ_ONCE(stop)) /* BUG HERE */
		;
	return 0;
}
module_init(busy_init_init);

static void __exit busy_init_exit(void)
{
}
module_exit(busy_init_exit);

MODULE_DESCRIPTION("Loops for ever in its init function");
MODULE_LICENSE("GPL");
