// SPDX-License-Identifier: GPL-2.0
/*
 * Two threads take two mutexes, each in its own order, and init waits for both.
 *
 * outcome: hang
 * kind: stack-trace
 * ending: lock init
 * timeout: 3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mutex.h>

static DEFINE_MUTEX(left);
static DEFINE_MUTEX(right);
static DECLARE_COMPLETION(done);

static int take_both(void *unused)
{
	mutex_lock(&right);
	msleep(50);
	mutex_lock(&left);
	mutex_unlock(&left);
	mutex_unlock(&right);
	complete(&done);
	return 0;
}

static int __init deadlock_init(void)
{
	mutex_lock(&left);
	kthread_run(take_both, NULL, "zoo_deadlock");
	msleep(50);
	mutex_lock(&right); /* BUG HERE */
	mutex_unlock(&right);
	mutex_unlock(&left);
	wait_for_completion(&done);
	return 0;
}
module_init(deadlock_init);

static void __exit deadlock_exit(void)
{
}
module_exit(deadlock_exit);

MODULE_DESCRIPTION("Two threads take two mutexes, each in its own order, and init waits for both");
MODULE_LICENSE("GPL");
