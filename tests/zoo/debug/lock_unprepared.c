// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a spin lock that was never initialised.
 *
 * outcome: ok
 * kind: lock-misuse
 * needs: CONFIG_DEBUG_SPINLOCK=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static int __init lock_unprepared_init(void)
{
	spinlock_t *lock = kzalloc(sizeof(*lock), GFP_KERNEL);

	if (!lock)
		return -ENOMEM;
	spin_lock(lock); /* BUG HERE */
	spin_unlock(lock);
	kfree(lock);
	return 0;
}
module_init(lock_unprepared_init);

static void __exit lock_unprepared_exit(void)
{
}
module_exit(lock_unprepared_exit);

MODULE_DESCRIPTION("Takes a spin lock that was never initialised");
MODULE_LICENSE("GPL");
