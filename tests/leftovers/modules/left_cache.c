// SPDX-License-Identifier: GPL-2.0
/* Forgets a slab cache. */
#include <linux/module.h>
#include <linux/slab.h>

static struct kmem_cache *left_cache;
static void left_fill(void *object)
{
	*(long *)object = 0;
}

static int __init left_cache_init(void)
{
	left_cache = kmem_cache_create("left_cache", 72, 0, 0, left_fill);
	return left_cache ? 0 : -ENOMEM;
}
module_init(left_cache_init);

static void __exit left_cache_exit(void)
{
	pr_info("left_cache: bye\n");
}
module_exit(left_cache_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a slab cache.");
