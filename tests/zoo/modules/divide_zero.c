// SPDX-License-Identifier: GPL-2.0
/*
 * Divides by zero.
 *
 * outcome: oops
 * kind: divide-error
 */
#include <linux/init.h>
#include <linux/module.h>

static int parts;

static int __init divide_zero_init(void)
{
	OPTIMIZER_HIDE_VAR(parts);
	pr_info("divide_zero: %d\n", 100 / parts); /* BUG HERE */
	return 0;
}
module_init(divide_zero_init);

static void __exit divide_zero_exit(void)
{
}
module_exit(divide_zero_exit);

MODULE_DESCRIPTION("Divides by zero");
MODULE_LICENSE("GPL");
