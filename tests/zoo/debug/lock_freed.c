// SPDX-License-Identifier: GPL-2.0
/*
 * Frees memory with a lock in it that is held.
 *
 * outcome: ok
 * kind: lock-misuse
 * needs: CONFIG_PROVE_LOCKING=y CONFIG_DEBUG_LOCK_ALLOC=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

struct account {
	struct mutex lock;
	long money;
};

static int __init lock_freed_init(void)
{
	struct account *account = kzalloc(sizeof(*account), GFP_KERNEL);

	if (!account)
		return -ENOMEM;
	mutex_init(&account->lock);
	mutex_lock(&account->lock);
	kfree(account); /* BUG HERE */
	return 0;
}
module_init(lock_freed_init);

static void __exit lock_freed_exit(void)
{
}
module_exit(lock_freed_exit);

MODULE_DESCRIPTION("Frees memory with a lock in it that is held");
MODULE_LICENSE("GPL");
