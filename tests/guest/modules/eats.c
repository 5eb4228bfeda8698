// SPDX-License-Identifier: GPL-2.0
/* Takes all memory and gives none back: how= says from whom */
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

static char *how = "pages";
module_param(how, charp, 0);

static void *eat(void)
{
	if (!strcmp(how, "kmalloc"))
		return kmalloc(4096, GFP_KERNEL);
	if (!strcmp(how, "vmalloc"))
		return vmalloc(1 << 20);
	return alloc_page(GFP_KERNEL);
}

static int __init eats_init(void)
{
	pr_info("eats: begins\n");
	while (eat())
		;
	pr_info("eats: no more\n");
	return -ENOMEM;
}
module_init(eats_init);

static void __exit eats_exit(void)
{
}
module_exit(eats_exit);

MODULE_DESCRIPTION("Takes all memory");
MODULE_LICENSE("GPL");
