// SPDX-License-Identifier: GPL-2.0
/*
 * Writes one byte behind the end of its memory.
 *
 * outcome: oops
 * kind: kasan
 * needs: CONFIG_KASAN=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static noinline void fill(char *text, int size)
{
	for (int i = 0; i <= size; i++)
		WRITE_ONCE(text[i], 'x'); /* BUG HERE */
}

static int __init kasan_overrun_init(void)
{
	char *text = kmalloc(77, GFP_KERNEL);

	if (!text)
		return -ENOMEM;
	fill(text, 77);
	kfree(text);
	return 0;
}
module_init(kasan_overrun_init);

static void __exit kasan_overrun_exit(void)
{
}
module_exit(kasan_overrun_exit);

MODULE_DESCRIPTION("Writes one byte behind the end of its memory");
MODULE_LICENSE("GPL");
