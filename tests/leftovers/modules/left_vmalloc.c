// SPDX-License-Identifier: GPL-2.0
/* Forgets 5 pages of vmalloc each time. */
#include <linux/module.h>
#include <linux/vmalloc.h>



static int __init left_vmalloc_init(void)
{
	return vmalloc(5 * PAGE_SIZE) ? 0 : -ENOMEM;
}
module_init(left_vmalloc_init);

static void __exit left_vmalloc_exit(void)
{
	pr_info("left_vmalloc: bye\n");
}
module_exit(left_vmalloc_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets 5 pages of vmalloc each time.");
