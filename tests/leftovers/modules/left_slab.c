// SPDX-License-Identifier: GPL-2.0
/* Forgets 4096 bytes each time. */
#include <linux/module.h>
#include <linux/slab.h>



static int __init left_slab_init(void)
{
	void *forgotten = kmalloc(4096, GFP_KERNEL);

	if (!forgotten)
		return -ENOMEM;
	pr_debug("%p\n", forgotten);
	return 0;
}
module_init(left_slab_init);

static void __exit left_slab_exit(void)
{
	pr_info("left_slab: bye\n");
}
module_exit(left_slab_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets 4096 bytes each time.");
