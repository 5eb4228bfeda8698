// SPDX-License-Identifier: GPL-2.0
/* Forgets two pages each time. */
#include <linux/module.h>
#include <linux/gfp.h>



static int __init left_pages_init(void)
{
	return __get_free_pages(GFP_KERNEL, 1) ? 0 : -ENOMEM;
}
module_init(left_pages_init);

static void __exit left_pages_exit(void)
{
	pr_info("left_pages: bye\n");
}
module_exit(left_pages_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets two pages each time.");
