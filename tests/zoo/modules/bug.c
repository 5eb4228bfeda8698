// SPDX-License-Identifier: GPL-2.0
/*
 * Says BUG().
 *
 * outcome: oops
 * kind: bug
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/bug.h>

static int __init bug_init(void)
{
	pr_info("bug: this cannot go on\n");
	BUG(); /* BUG HERE */
	return 0;
}
module_init(bug_init);

static void __exit bug_exit(void)
{
}
module_exit(bug_exit);

MODULE_DESCRIPTION("Says BUG()");
MODULE_LICENSE("GPL");
