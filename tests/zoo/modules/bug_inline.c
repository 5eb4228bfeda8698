// SPDX-License-Identifier: GPL-2.0
/*
 * Says BUG_ON() in a function that was inlined into another inlined one.
 *
 * outcome: oops
 * kind: bug
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/bug.h>

static __always_inline void must_be_even(int number)
{
	BUG_ON(number & 1); /* BUG HERE */
}

static __always_inline int half(int number)
{
	must_be_even(number);
	return number / 2;
}

static int __init bug_inline_init(void)
{
	int number = 7;

	OPTIMIZER_HIDE_VAR(number);
	pr_info("bug_inline: %d\n", half(number));
	return 0;
}
module_init(bug_inline_init);

static void __exit bug_inline_exit(void)
{
}
module_exit(bug_inline_exit);

MODULE_DESCRIPTION("Says BUG_ON() in a function that was inlined into another inlined one");
MODULE_LICENSE("GPL");
