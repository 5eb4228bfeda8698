// SPDX-License-Identifier: GPL-2.0
/*
 * Sleeps while it holds a spin lock.
 *
 * outcome: ok
 * kind: scheduling-while-atomic
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/spinlock.h>

static DEFINE_SPINLOCK(lock);

static int __init atomic_sleep_init(void)
{
	spin_lock(&lock);
	msleep(20); /* BUG HERE */
	spin_unlock(&lock);
	return 0;
}
module_init(atomic_sleep_init);

static void __exit atomic_sleep_exit(void)
{
}
module_exit(atomic_sleep_exit);

MODULE_DESCRIPTION("Sleeps while it holds a spin lock");
MODULE_LICENSE("GPL");
