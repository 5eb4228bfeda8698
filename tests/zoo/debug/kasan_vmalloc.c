// SPDX-License-Identifier: GPL-2.0
/*
 * Reads vmalloc's memory behind what was asked for, within its last page.
 *
 * outcome: oops
 * kind: kasan
 * needs: CONFIG_KASAN=y CONFIG_KASAN_VMALLOC=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

static int __init kasan_vmalloc_init(void)
{
	char *text = vmalloc(2000);

	if (!text)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(text);
	pr_info("kasan_vmalloc: %d\n", READ_ONCE(text[2003])); /* BUG HERE */
	vfree(text);
	return 0;
}
module_init(kasan_vmalloc_init);

static void __exit kasan_vmalloc_exit(void)
{
}
module_exit(kasan_vmalloc_exit);

MODULE_DESCRIPTION("Reads vmalloc's memory behind what was asked for, within its last page");
MODULE_LICENSE("GPL");
