// SPDX-License-Identifier: GPL-2.0
/*
 * Sleeps where it reads under RCU.
 *
 * outcome: ok
 * kind: warning
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/rcupdate.h>

static int __init rcu_sleep_init(void)
{
	rcu_read_lock();
	msleep(20); /* BUG HERE */
	rcu_read_unlock();
	return 0;
}
module_init(rcu_sleep_init);

static void __exit rcu_sleep_exit(void)
{
}
module_exit(rcu_sleep_exit);

MODULE_DESCRIPTION("Sleeps where it reads under RCU");
MODULE_LICENSE("GPL");
