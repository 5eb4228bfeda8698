// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a pointer in a freed object, of a cache that poisons.
 *
 * outcome: oops
 * kind: use-after-free
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

struct node {
	long value;
	struct node *next;
	long more[6];
};

static noinline long next_value(const struct node *node)
{
	return node->next->value; /* BUG HERE */
}

static int __init freed_follow_init(void)
{
	struct kmem_cache *cache = kmem_cache_create("zoo_freed", sizeof(struct node), 0, SLAB_POISON, NULL);
	struct node *node;

	if (!cache)
		return -ENOMEM;
	node = kmem_cache_zalloc(cache, GFP_KERNEL);
	node->next = node;
	kmem_cache_free(cache, node);
	OPTIMIZER_HIDE_VAR(node);
	pr_info("freed_follow: %ld\n", next_value(node));
	kmem_cache_destroy(cache);
	return 0;
}
module_init(freed_follow_init);

static void __exit freed_follow_exit(void)
{
}
module_exit(freed_follow_exit);

MODULE_DESCRIPTION("Follows a pointer in a freed object, of a cache that poisons");
MODULE_LICENSE("GPL");
