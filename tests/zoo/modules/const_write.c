// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to a constant, past its const.
 *
 * outcome: oops
 * kind: page-fault
 */
#include <linux/init.h>
#include <linux/module.h>

static const int limits[4] = { 1, 2, 3, 4 };

static int __init const_write_init(void)
{
	int *limit = (int *)&limits[2];

	OPTIMIZER_HIDE_VAR(limit);
	*limit = 5; /* BUG HERE */
	return 0;
}
module_init(const_write_init);

static void __exit const_write_exit(void)
{
}
module_exit(const_write_exit);

MODULE_DESCRIPTION("Writes to a constant, past its const");
MODULE_LICENSE("GPL");
