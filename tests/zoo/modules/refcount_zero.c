// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a reference on what has none any more.
 *
 * outcome: ok
 * kind: refcount
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/refcount.h>

static refcount_t users = REFCOUNT_INIT(0);

static int __init refcount_zero_init(void)
{
	refcount_inc(&users); /* BUG HERE */
	pr_info("refcount_zero: %u\n", refcount_read(&users));
	return 0;
}
module_init(refcount_zero_init);

static void __exit refcount_zero_exit(void)
{
}
module_exit(refcount_zero_exit);

MODULE_DESCRIPTION("Takes a reference on what has none any more");
MODULE_LICENSE("GPL");
