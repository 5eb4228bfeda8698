// SPDX-License-Identifier: GPL-2.0
/*
 * Executes a breakpoint that nobody has set: its handler counts as an interrupt, so the kernel panics.
 *
 * outcome: panic
 * kind: oops
 * ending: oops
 */
#include <linux/init.h>
#include <linux/module.h>

static int __init breakpoint_init(void)
{
	asm volatile("int3"); /* BUG HERE */
	return 0;
}
module_init(breakpoint_init);

static void __exit breakpoint_exit(void)
{
}
module_exit(breakpoint_exit);

MODULE_DESCRIPTION("Executes a breakpoint that nobody has set: its handler counts as an interrupt, so the kernel panics");
MODULE_LICENSE("GPL");
