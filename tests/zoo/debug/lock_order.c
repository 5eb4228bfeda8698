// SPDX-License-Identifier: GPL-2.0
/*
 * Takes two locks, and then the other way round.
 *
 * outcome: ok
 * kind: lock-inversion
 * needs: CONFIG_PROVE_LOCKING=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>

static DEFINE_MUTEX(left);
static DEFINE_MUTEX(right);

static noinline void there(void)
{
	mutex_lock(&left);
	mutex_lock(&right);
	mutex_unlock(&right);
	mutex_unlock(&left);
}

static noinline void back(void)
{
	mutex_lock(&right);
	mutex_lock(&left); /* BUG HERE */
	mutex_unlock(&left);
	mutex_unlock(&right);
}

static int __init lock_order_init(void)
{
	there();
	back();
	return 0;
}
module_init(lock_order_init);

static void __exit lock_order_exit(void)
{
}
module_exit(lock_order_exit);

MODULE_DESCRIPTION("Takes two locks, and then the other way round");
MODULE_LICENSE("GPL");
