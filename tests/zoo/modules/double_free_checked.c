// SPDX-License-Identifier: GPL-2.0
/*
 * Frees an object twice, of a cache that checks.
 *
 * outcome: ok
 * kind: double-free
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static int __init double_free_checked_init(void)
{
	struct kmem_cache *cache = kmem_cache_create("zoo_twice", 96, 0, SLAB_CONSISTENCY_CHECKS | SLAB_STORE_USER, NULL);
	void *object, *other;

	if (!cache)
		return -ENOMEM;
	object = kmem_cache_alloc(cache, GFP_KERNEL);
	other = kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_free(cache, object);
	OPTIMIZER_HIDE_VAR(object);
	kmem_cache_free(cache, object); /* BUG HERE */
	kmem_cache_free(cache, other);
	kmem_cache_destroy(cache);
	return 0;
}
module_init(double_free_checked_init);

static void __exit double_free_checked_exit(void)
{
}
module_exit(double_free_checked_exit);

MODULE_DESCRIPTION("Frees an object twice, of a cache that checks");
MODULE_LICENSE("GPL");
