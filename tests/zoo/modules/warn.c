// SPDX-License-Identifier: GPL-2.0
/*
 * Warns with words of its own, and goes on.
 *
 * outcome: ok
 * kind: warning
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/bug.h>

static int __init warn_init(void)
{
	WARN(1, "warn: %d is too many\n", 17); /* BUG HERE */
	return 0;
}
module_init(warn_init);

static void __exit warn_exit(void)
{
}
module_exit(warn_exit);

MODULE_DESCRIPTION("Warns with words of its own, and goes on");
MODULE_LICENSE("GPL");
