// SPDX-License-Identifier: GPL-2.0
/*
 * Gives a lock back that it does not hold.
 *
 * outcome: ok
 * kind: lock-misuse
 * needs: CONFIG_PROVE_LOCKING=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/rwsem.h>

static DECLARE_RWSEM(lock);

static int __init lock_not_held_init(void)
{
	down_read(&lock);
	up_read(&lock);
	up_read(&lock); /* BUG HERE */
	return 0;
}
module_init(lock_not_held_init);

static void __exit lock_not_held_exit(void)
{
}
module_exit(lock_not_held_exit);

MODULE_DESCRIPTION("Gives a lock back that it does not hold");
MODULE_LICENSE("GPL");
