// SPDX-License-Identifier: GPL-2.0
/*
 * Writes behind the end of memory of vmalloc(), where a page without memory lies.
 *
 * outcome: oops
 * kind: page-fault
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

static noinline void fill(char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		WRITE_ONCE(text[i], 'x'); /* BUG HERE */
}

static int __init vmalloc_overrun_init(void)
{
	char *text = vmalloc(2 * PAGE_SIZE);

	if (!text)
		return -ENOMEM;
	fill(text, 2 * PAGE_SIZE + 1);
	vfree(text);
	return 0;
}
module_init(vmalloc_overrun_init);

static void __exit vmalloc_overrun_exit(void)
{
}
module_exit(vmalloc_overrun_exit);

MODULE_DESCRIPTION("Writes behind the end of memory of vmalloc(), where a page without memory lies");
MODULE_LICENSE("GPL");
