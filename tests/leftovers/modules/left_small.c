// SPDX-License-Identifier: GPL-2.0
/* Forgets 8 bytes each time. */
#include <linux/module.h>
#include <linux/slab.h>



static int __init left_small_init(void)
{
	return kmalloc(8, GFP_KERNEL) ? 0 : -ENOMEM;
}
module_init(left_small_init);

static void __exit left_small_exit(void)
{
	pr_info("left_small: bye\n");
}
module_exit(left_small_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets 8 bytes each time.");
