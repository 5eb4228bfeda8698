// SPDX-License-Identifier: GPL-2.0
/*
 * Reads through a NULL pointer when it is unloaded.
 *
 * outcome: oops
 * kind: null-pointer
 */
#include <linux/init.h>
#include <linux/module.h>

static int *counter;

static int __init null_exit_init(void)
{
	return 0;
}
module_init(null_exit_init);

static void __exit null_exit_exit(void)
{
	OPTIMIZER_HIDE_VAR(counter);
	pr_info("null_exit: %d\n", *counter); /* BUG HERE */
}
module_exit(null_exit_exit);

MODULE_DESCRIPTION("Reads through a NULL pointer when it is unloaded");
MODULE_LICENSE("GPL");
