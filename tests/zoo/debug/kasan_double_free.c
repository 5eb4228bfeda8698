// SPDX-License-Identifier: GPL-2.0
/*
 * Frees the same memory twice, where KASAN looks on.
 *
 * outcome: oops
 * kind: kasan
 * needs: CONFIG_KASAN=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static int __init kasan_double_free_init(void)
{
	char *text = kmalloc(64, GFP_KERNEL);

	if (!text)
		return -ENOMEM;
	kfree(text);
	OPTIMIZER_HIDE_VAR(text);
	kfree(text); /* BUG HERE */
	return 0;
}
module_init(kasan_double_free_init);

static void __exit kasan_double_free_exit(void)
{
}
module_exit(kasan_double_free_exit);

MODULE_DESCRIPTION("Frees the same memory twice, where KASAN looks on");
MODULE_LICENSE("GPL");
