// SPDX-License-Identifier: GPL-2.0
/*
 * Shifts by more bits than the number has.
 *
 * outcome: ok
 * kind: ubsan
 * needs: CONFIG_UBSAN_SHIFT=y
 */
#include <linux/init.h>
#include <linux/module.h>

static int __init ubsan_shift_init(void)
{
	int bits = 40;

	OPTIMIZER_HIDE_VAR(bits);
	pr_info("ubsan_shift: %d\n", 1 << bits); /* BUG HERE */
	return 0;
}
module_init(ubsan_shift_init);

static void __exit ubsan_shift_exit(void)
{
}
module_exit(ubsan_shift_exit);

MODULE_DESCRIPTION("Shifts by more bits than the number has");
MODULE_LICENSE("GPL");
