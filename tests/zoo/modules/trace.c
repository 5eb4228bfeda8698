// SPDX-License-Identifier: GPL-2.0
/*
 * Prints a stack trace, and nothing is wrong.
 *
 * outcome: ok
 * kind: stack-trace
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

static noinline void who_calls(void)
{
	dump_stack(); /* BUG HERE */
	pr_info("trace: that was it\n");
}

static int __init trace_init(void)
{
	who_calls();
	return 0;
}
module_init(trace_init);

static void __exit trace_exit(void)
{
}
module_exit(trace_exit);

MODULE_DESCRIPTION("Prints a stack trace, and nothing is wrong");
MODULE_LICENSE("GPL");
