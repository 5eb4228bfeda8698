// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to a freed object, of a cache that poisons: it is noticed when the object is handed out again,
 * and the kernel can only tell where the object came from.
 *
 * outcome: ok
 * kind: slab-corruption
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static int __init poison_write_init(void)
{
	struct kmem_cache *cache = kmem_cache_create("zoo_poison", 64, 0, SLAB_POISON | SLAB_CONSISTENCY_CHECKS | SLAB_STORE_USER, NULL);
	char *object, *other;

	if (!cache)
		return -ENOMEM;
	object = kmem_cache_alloc(cache, GFP_KERNEL); /* BUG HERE */
	kmem_cache_free(cache, object);
	OPTIMIZER_HIDE_VAR(object);
	object[8] = 'x';
	other = kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_free(cache, other);
	kmem_cache_destroy(cache);
	return 0;
}
module_init(poison_write_init);

static void __exit poison_write_exit(void)
{
}
module_exit(poison_write_exit);

MODULE_DESCRIPTION("Writes to a freed object, of a cache that poisons: it is noticed when the object is handed out again");
MODULE_LICENSE("GPL");
