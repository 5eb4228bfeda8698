// SPDX-License-Identifier: GPL-2.0
/*
 * Reads behind the end of an array on the stack.
 *
 * outcome: oops
 * kind: kasan
 * needs: CONFIG_KASAN=y CONFIG_KASAN_STACK=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/string.h>

static int __init kasan_stack_init(void)
{
	char text[20];
	char *at = text;
	int index = 22;

	memset(text, 'x', sizeof(text));
	OPTIMIZER_HIDE_VAR(at);
	OPTIMIZER_HIDE_VAR(index);
	pr_info("kasan_stack: %d\n", READ_ONCE(at[index])); /* BUG HERE */
	return 0;
}
module_init(kasan_stack_init);

static void __exit kasan_stack_exit(void)
{
}
module_exit(kasan_stack_exit);

MODULE_DESCRIPTION("Reads behind the end of an array on the stack");
MODULE_LICENSE("GPL");
