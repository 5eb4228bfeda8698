// SPDX-License-Identifier: GPL-2.0
/*
 * Reads behind the end of a table.
 *
 * outcome: oops
 * kind: kasan
 * needs: CONFIG_KASAN=y
 */
#include <linux/init.h>
#include <linux/module.h>

static int table[10] = { 1 };

static int __init kasan_global_init(void)
{
	int index = 11;

	OPTIMIZER_HIDE_VAR(index);
	pr_info("kasan_global: %d\n", READ_ONCE(*(table + index))); /* BUG HERE */
	return 0;
}
module_init(kasan_global_init);

static void __exit kasan_global_exit(void)
{
}
module_exit(kasan_global_exit);

MODULE_DESCRIPTION("Reads behind the end of a table");
MODULE_LICENSE("GPL");
