// SPDX-License-Identifier: GPL-2.0
/*
 * Writes behind the end of an object, of a cache with red zones: it is noticed when the object is freed,
 * and the kernel tells where the object came from.
 *
 * outcome: ok
 * kind: slab-corruption
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static int __init redzone_init(void)
{
	struct kmem_cache *cache = kmem_cache_create("zoo_redzone", 60, 0, SLAB_RED_ZONE | SLAB_CONSISTENCY_CHECKS | SLAB_STORE_USER, NULL);
	char *object;

	if (!cache)
		return -ENOMEM;
	object = kmem_cache_alloc(cache, GFP_KERNEL); /* BUG HERE */
	OPTIMIZER_HIDE_VAR(object);
	object[60] = 'x';
	kmem_cache_free(cache, object);
	kmem_cache_destroy(cache);
	return 0;
}
module_init(redzone_init);

static void __exit redzone_exit(void)
{
}
module_exit(redzone_exit);

MODULE_DESCRIPTION("Writes behind the end of an object, of a cache with red zones");
MODULE_LICENSE("GPL");
