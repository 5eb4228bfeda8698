// SPDX-License-Identifier: GPL-2.0
/*
 * Reads an array with an index that it does not have.
 *
 * outcome: ok
 * kind: ubsan
 * needs: CONFIG_UBSAN_BOUNDS=y
 */
#include <linux/init.h>
#include <linux/module.h>

static struct {
	int first[4];
	int behind[8];
} table;

static int __init ubsan_bounds_init(void)
{
	int index = 5;

	OPTIMIZER_HIDE_VAR(index);
	pr_info("ubsan_bounds: %d\n", table.first[index]); /* BUG HERE */
	return 0;
}
module_init(ubsan_bounds_init);

static void __exit ubsan_bounds_exit(void)
{
}
module_exit(ubsan_bounds_exit);

MODULE_DESCRIPTION("Reads an array with an index that it does not have");
MODULE_LICENSE("GPL");
