// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a lock of a kind that it holds already: not the same one, so it would go well here, but lockdep knows.
 *
 * outcome: ok
 * kind: lock-deadlock
 * needs: CONFIG_PROVE_LOCKING=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>

struct account {
	struct mutex lock;
	long money;
};
static struct account one, other;

static void prepare(struct account *account)
{
	mutex_init(&account->lock);
}

static int __init lock_twice_init(void)
{
	prepare(&one);
	prepare(&other);
	mutex_lock(&one.lock);
	mutex_lock(&other.lock); /* BUG HERE */
	mutex_unlock(&other.lock);
	mutex_unlock(&one.lock);
	return 0;
}
module_init(lock_twice_init);

static void __exit lock_twice_exit(void)
{
}
module_exit(lock_twice_exit);

MODULE_DESCRIPTION("Takes a lock of a kind that it holds already: not the same one, so it would go well here, but lockdep knows");
MODULE_LICENSE("GPL");
