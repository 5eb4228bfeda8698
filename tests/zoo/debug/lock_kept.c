// SPDX-License-Identifier: GPL-2.0
/*
 * Returns to user space with a lock held.
 *
 * outcome: ok
 * kind: lock-held
 * needs: CONFIG_PROVE_LOCKING=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>

static DEFINE_MUTEX(lock);

static int __init lock_kept_init(void)
{
	mutex_lock(&lock);
	return 0;
}
module_init(lock_kept_init);

static void __exit lock_kept_exit(void)
{
}
module_exit(lock_kept_exit);

MODULE_DESCRIPTION("Returns to user space with a lock held");
MODULE_LICENSE("GPL");
