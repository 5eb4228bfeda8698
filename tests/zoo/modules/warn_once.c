// SPDX-License-Identifier: GPL-2.0
/*
 * Warns once, though it happens three times.
 *
 * outcome: ok
 * kind: warning
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/bug.h>

static noinline void check(int level)
{
	WARN_ON_ONCE(level < 5); /* BUG HERE */
}

static int __init warn_once_init(void)
{
	for (int i = 0; i < 3; i++)
		check(i);
	return 0;
}
module_init(warn_once_init);

static void __exit warn_once_exit(void)
{
}
module_exit(warn_once_exit);

MODULE_DESCRIPTION("Warns once, though it happens three times");
MODULE_LICENSE("GPL");
