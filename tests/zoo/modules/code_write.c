// SPDX-License-Identifier: GPL-2.0
/*
 * Writes over its own code.
 *
 * outcome: oops
 * kind: page-fault
 */
#include <linux/init.h>
#include <linux/module.h>

static noinline int answer(void)
{
	return 42;
}

static int __init code_write_init(void)
{
	char *code = (char *)answer;

	OPTIMIZER_HIDE_VAR(code);
	*code = 0x90; /* BUG HERE */
	return answer() - 42;
}
module_init(code_write_init);

static void __exit code_write_exit(void)
{
}
module_exit(code_write_exit);

MODULE_DESCRIPTION("Writes over its own code");
MODULE_LICENSE("GPL");
