// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a pointer that no address can be: a general protection fault.
 *
 * outcome: oops
 * kind: general-protection
 */
#include <linux/init.h>
#include <linux/module.h>

static int __init wild_pointer_init(void)
{
	int *wild = (int *)0x1122334455667788;

	OPTIMIZER_HIDE_VAR(wild);
	*wild = 1; /* BUG HERE */
	return 0;
}
module_init(wild_pointer_init);

static void __exit wild_pointer_exit(void)
{
}
module_exit(wild_pointer_exit);

MODULE_DESCRIPTION("Follows a pointer that no address can be: a general protection fault");
MODULE_LICENSE("GPL");
