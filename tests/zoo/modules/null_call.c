// SPDX-License-Identifier: GPL-2.0
/*
 * Calls a function pointer that nobody has set.
 *
 * outcome: oops
 * kind: null-pointer
 */
#include <linux/init.h>
#include <linux/module.h>

static void (*handler)(int event);

static int __init null_call_init(void)
{
	OPTIMIZER_HIDE_VAR(handler);
	handler(1); /* BUG HERE */
	return 0;
}
module_init(null_call_init);

static void __exit null_call_exit(void)
{
}
module_exit(null_call_exit);

MODULE_DESCRIPTION("Calls a function pointer that nobody has set");
MODULE_LICENSE("GPL");
