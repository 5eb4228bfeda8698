// SPDX-License-Identifier: GPL-2.0
/*
 * Destroys a cache of objects while one is still in use.
 *
 * outcome: ok
 * kind: slab-leak
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static int __init cache_left_init(void)
{
	struct kmem_cache *cache = kmem_cache_create("zoo_left", 128, 0, SLAB_RED_ZONE, NULL);

	if (!cache)
		return -ENOMEM;
	kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_destroy(cache); /* BUG HERE */
	return 0;
}
module_init(cache_left_init);

static void __exit cache_left_exit(void)
{
}
module_exit(cache_left_exit);

MODULE_DESCRIPTION("Destroys a cache of objects while one is still in use");
MODULE_LICENSE("GPL");
