// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a mutex that it holds: it sleeps until it gives it back itself.
 *
 * outcome: hang
 * kind: stack-trace
 * ending: lock init
 * timeout: 3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>

static DEFINE_MUTEX(lock);

static int __init mutex_twice_init(void)
{
	mutex_lock(&lock);
	mutex_lock(&lock); /* BUG HERE */
	mutex_unlock(&lock);
	return 0;
}
module_init(mutex_twice_init);

static void __exit mutex_twice_exit(void)
{
}
module_exit(mutex_twice_exit);

MODULE_DESCRIPTION("Takes a mutex that it holds: it sleeps until it gives it back itself");
MODULE_LICENSE("GPL");
