// SPDX-License-Identifier: GPL-2.0
/*
 * Has an array on the stack that is larger than the stack: the guard page below it is met.
 *
 * outcome: panic
 * kind: stack-overflow
 * ending: oops
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/string.h>

static noinline int sum(int seed)
{
	char table[17408]; /* BUG HERE */
	int all = 0;

	for (int i = sizeof(table) - 1; i >= 0; i--)
		WRITE_ONCE(table[i], seed + i);
	for (size_t i = 0; i < sizeof(table); i++)
		all += READ_ONCE(table[i]);
	return all;
}

static int __init stack_array_init(void)
{
	pr_info("stack_array: %d\n", sum(3));
	return 0;
}
module_init(stack_array_init);

static void __exit stack_array_exit(void)
{
}
module_exit(stack_array_exit);

MODULE_DESCRIPTION("Has an array on the stack that is larger than the stack");
MODULE_LICENSE("GPL");
