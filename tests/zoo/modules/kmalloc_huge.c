// SPDX-License-Identifier: GPL-2.0
/*
 * Asks the page allocator for more than it can ever give.
 *
 * outcome: load-failed
 * kind: allocation-failure
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/gfp.h>
#include <linux/mm.h>

static int __init kmalloc_huge_init(void)
{
	unsigned long much = __get_free_pages(GFP_KERNEL, 20); /* BUG HERE */

	if (!much)
		return -ENOMEM;
	free_pages(much, 20);
	return 0;
}
module_init(kmalloc_huge_init);

static void __exit kmalloc_huge_exit(void)
{
}
module_exit(kmalloc_huge_exit);

MODULE_DESCRIPTION("Asks the page allocator for more than it can ever give");
MODULE_LICENSE("GPL");
