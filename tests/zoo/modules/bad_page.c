// SPDX-License-Identifier: GPL-2.0
/*
 * Gives pages back while they still say that they are locked.
 *
 * outcome: oops
 * kind: bad-page
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/page-flags.h>

static int __init bad_page_init(void)
{
	struct page *page = alloc_pages(GFP_KERNEL, 5);

	if (!page)
		return -ENOMEM;
	__SetPageLocked(page);
	__free_pages(page, 5); /* BUG HERE */
	return 0;
}
module_init(bad_page_init);

static void __exit bad_page_exit(void)
{
}
module_exit(bad_page_exit);

MODULE_DESCRIPTION("Gives pages back while they still say that they are locked");
MODULE_LICENSE("GPL");
