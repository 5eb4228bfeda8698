// SPDX-License-Identifier: GPL-2.0
/*
 * Reads memory of vmalloc() after vfree().
 *
 * outcome: oops
 * kind: page-fault
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

static int __init unmapped_read_init(void)
{
	int *numbers = vmalloc(PAGE_SIZE);

	if (!numbers)
		return -ENOMEM;
	vfree(numbers);
	OPTIMIZER_HIDE_VAR(numbers);
	pr_info("unmapped_read: %d\n", numbers[3]); /* BUG HERE */
	return 0;
}
module_init(unmapped_read_init);

static void __exit unmapped_read_exit(void)
{
}
module_exit(unmapped_read_exit);

MODULE_DESCRIPTION("Reads memory of vmalloc() after vfree()");
MODULE_LICENSE("GPL");
