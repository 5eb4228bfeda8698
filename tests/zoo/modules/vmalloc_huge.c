// SPDX-License-Identifier: GPL-2.0
/*
 * Asks for more memory than there is.
 *
 * outcome: load-failed
 * kind: allocation-failure
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

static int __init vmalloc_huge_init(void)
{
	char *much = vmalloc(1ul << 40); /* BUG HERE */

	if (!much)
		return -ENOMEM;
	vfree(much);
	return 0;
}
module_init(vmalloc_huge_init);

static void __exit vmalloc_huge_exit(void)
{
}
module_exit(vmalloc_huge_exit);

MODULE_DESCRIPTION("Asks for more memory than there is");
MODULE_LICENSE("GPL");
