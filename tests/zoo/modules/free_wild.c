// SPDX-License-Identifier: GPL-2.0
/*
 * Frees what was never allocated.
 *
 * outcome: oops
 * kind: page-fault
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static int __init free_wild_init(void)
{
	char *wild = (char *)0x12345678000;

	OPTIMIZER_HIDE_VAR(wild);
	kfree(wild); /* BUG HERE */
	return 0;
}
module_init(free_wild_init);

static void __exit free_wild_exit(void)
{
}
module_exit(free_wild_exit);

MODULE_DESCRIPTION("Frees what was never allocated");
MODULE_LICENSE("GPL");
