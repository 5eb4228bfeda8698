// SPDX-License-Identifier: GPL-2.0
/*
 * Divides the least number by -1: the quotient does not fit.
 *
 * outcome: oops
 * kind: divide-error
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/limits.h>

static int __init divide_overflow_init(void)
{
	int parts = -1, all = INT_MIN;

	OPTIMIZER_HIDE_VAR(parts);
	OPTIMIZER_HIDE_VAR(all);
	pr_info("divide_overflow: %d\n", all / parts); /* BUG HERE */
	return 0;
}
module_init(divide_overflow_init);

static void __exit divide_overflow_exit(void)
{
}
module_exit(divide_overflow_exit);

MODULE_DESCRIPTION("Divides the least number by -1: the quotient does not fit");
MODULE_LICENSE("GPL");
