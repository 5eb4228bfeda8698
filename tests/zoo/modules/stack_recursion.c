// SPDX-License-Identifier: GPL-2.0
/*
 * Calls itself without end.
 *
 * outcome: panic
 * kind: stack-overflow
 * ending: oops
 */
#include <linux/init.h>
#include <linux/module.h>

static int deep;

static noinline int descend(int depth)
{
	char room[200];

	OPTIMIZER_HIDE_VAR(depth);
	room[depth & 127] = 1;
	barrier_data(room);
	return descend(depth + 1) + room[deep];
}

static int __init stack_recursion_init(void)
{
	pr_info("stack_recursion: %d\n", descend(1));
	return 0;
}
module_init(stack_recursion_init);

static void __exit stack_recursion_exit(void)
{
}
module_exit(stack_recursion_exit);

MODULE_DESCRIPTION("Calls itself without end");
MODULE_LICENSE("GPL");
