// SPDX-License-Identifier: GPL-2.0
/*
 * Frees with vfree() what came from kmalloc().
 *
 * outcome: ok
 * kind: invalid-free
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

static int __init vfree_wrong_init(void)
{
	char *text = kmalloc(PAGE_SIZE, GFP_KERNEL);

	if (!text)
		return -ENOMEM;
	vfree(text); /* BUG HERE */
	kfree(text);
	return 0;
}
module_init(vfree_wrong_init);

static void __exit vfree_wrong_exit(void)
{
}
module_exit(vfree_wrong_exit);

MODULE_DESCRIPTION("Frees with vfree() what came from kmalloc()");
MODULE_LICENSE("GPL");
