// SPDX-License-Identifier: GPL-2.0
/*
 * Jumps into its data, which may not be executed.
 *
 * outcome: oops
 * kind: page-fault
 */
#include <linux/init.h>
#include <linux/module.h>

static char code[16] = { (char)0xc3 };

static int __init execute_data_init(void)
{
	void (*run)(void) = (void (*)(void))code;

	OPTIMIZER_HIDE_VAR(run);
	run(); /* BUG HERE */
	return 0;
}
module_init(execute_data_init);

static void __exit execute_data_exit(void)
{
}
module_exit(execute_data_exit);

MODULE_DESCRIPTION("Jumps into its data, which may not be executed");
MODULE_LICENSE("GPL");
