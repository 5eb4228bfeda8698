// SPDX-License-Identifier: GPL-2.0
/*
 * Drops one reference more than it has.
 *
 * outcome: ok
 * kind: refcount
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/refcount.h>

static refcount_t users = REFCOUNT_INIT(1);

static noinline void drop(void)
{
	bool last = refcount_dec_and_test(&users); /* BUG HERE */

	pr_info("refcount_underflow: %s\n", last ? "the last one" : "one of many");
}

static int __init refcount_underflow_init(void)
{
	drop();
	drop();
	return 0;
}
module_init(refcount_underflow_init);

static void __exit refcount_underflow_exit(void)
{
}
module_exit(refcount_underflow_exit);

MODULE_DESCRIPTION("Drops one reference more than it has");
MODULE_LICENSE("GPL");
