// SPDX-License-Identifier: GPL-2.0
/*
 * Takes references until the counter is full.
 *
 * outcome: ok
 * kind: refcount
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/limits.h>

static refcount_t users = REFCOUNT_INIT(INT_MAX);

static int __init refcount_overflow_init(void)
{
	refcount_inc(&users); /* BUG HERE */
	pr_info("refcount_overflow: %u\n", refcount_read(&users));
	return 0;
}
module_init(refcount_overflow_init);

static void __exit refcount_overflow_exit(void)
{
}
module_exit(refcount_overflow_exit);

MODULE_DESCRIPTION("Takes references until the counter is full");
MODULE_LICENSE("GPL");
