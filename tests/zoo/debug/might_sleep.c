// SPDX-License-Identifier: GPL-2.0
/*
 * Asks for memory in a way that may sleep while it holds a spin lock.
 *
 * outcome: ok
 * kind: sleeping-while-atomic
 * needs: CONFIG_DEBUG_ATOMIC_SLEEP=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static DEFINE_SPINLOCK(lock);

static int __init might_sleep_init(void)
{
	void *memory;

	spin_lock(&lock);
	memory = kmalloc(4000, GFP_KERNEL); /* BUG HERE */
	spin_unlock(&lock);
	kfree(memory);
	return 0;
}
module_init(might_sleep_init);

static void __exit might_sleep_exit(void)
{
}
module_exit(might_sleep_exit);

MODULE_DESCRIPTION("Asks for memory in a way that may sleep while it holds a spin lock");
MODULE_LICENSE("GPL");
