// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a spin lock that it holds.
 *
 * outcome: hang
 * kind: panic
 * ending: lock init
 * timeout: 3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/spinlock.h>

static DEFINE_SPINLOCK(lock);

static int __init spin_twice_init(void)
{
	spin_lock(&lock);
	spin_lock(&lock); /* BUG HERE */
	spin_unlock(&lock);
	spin_unlock(&lock);
	return 0;
}
module_init(spin_twice_init);

static void __exit spin_twice_exit(void)
{
}
module_exit(spin_twice_exit);

MODULE_DESCRIPTION("Takes a spin lock that it holds");
MODULE_LICENSE("GPL");
