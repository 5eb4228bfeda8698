// SPDX-License-Identifier: GPL-2.0
/*
 * Reads through a NULL pointer.
 *
 * outcome: oops
 * kind: null-pointer
 */
#include <linux/init.h>
#include <linux/module.h>

static int *counter;

static int __init null_read_init(void)
{
	OPTIMIZER_HIDE_VAR(counter);
	pr_info("null_read: %d\n", *counter); /* BUG HERE */
	return 0;
}
module_init(null_read_init);

static void __exit null_read_exit(void)
{
}
module_exit(null_read_exit);

MODULE_DESCRIPTION("Reads through a NULL pointer");
MODULE_LICENSE("GPL");
