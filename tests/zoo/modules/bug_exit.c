// SPDX-License-Identifier: GPL-2.0
/*
 * Says BUG() when it is unloaded.
 *
 * outcome: oops
 * kind: bug
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/bug.h>

static int __init bug_exit_init(void)
{
	return 0;
}
module_init(bug_exit_init);

static void __exit bug_exit_exit(void)
{
	BUG(); /* BUG HERE */
}
module_exit(bug_exit_exit);

MODULE_DESCRIPTION("Says BUG() when it is unloaded");
MODULE_LICENSE("GPL");
