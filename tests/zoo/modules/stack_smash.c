// SPDX-License-Identifier: GPL-2.0
/*
 * Writes over its own return address: the stack protector notices when it returns.
 *
 * outcome: panic
 * kind: stack-corruption
 */
#include <linux/init.h>
#include <linux/module.h>

static noinline int fill(int size)
{
	char text[16];
	char *at = text;

	OPTIMIZER_HIDE_VAR(at);
	for (int i = 0; i < size; i++)
		WRITE_ONCE(at[i], 'x');
	return text[size & 7];
} /* BUG HERE */

static int __init stack_smash_init(void)
{
	int size = 40;

	OPTIMIZER_HIDE_VAR(size);
	pr_info("stack_smash: %d\n", fill(size));
	return 0;
}
module_init(stack_smash_init);

static void __exit stack_smash_exit(void)
{
}
module_exit(stack_smash_exit);

MODULE_DESCRIPTION("Writes over its own return address: the stack protector notices when it returns");
MODULE_LICENSE("GPL");
