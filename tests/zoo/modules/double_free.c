// SPDX-License-Identifier: GPL-2.0
/*
 * Frees the same memory twice.
 *
 * outcome: oops
 * kind: double-free
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static int __init double_free_init(void)
{
	char *text = kmalloc(64, GFP_KERNEL);

	if (!text)
		return -ENOMEM;
	kfree(text);
	OPTIMIZER_HIDE_VAR(text);
	kfree(text); /* BUG HERE */
	return 0;
}
module_init(double_free_init);

static void __exit double_free_exit(void)
{
}
module_exit(double_free_exit);

MODULE_DESCRIPTION("Frees the same memory twice");
MODULE_LICENSE("GPL");
