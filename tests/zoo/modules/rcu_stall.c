// SPDX-License-Identifier: GPL-2.0
/*
 * Reads under RCU for seven seconds without a pause, while something waits for the readers to end.
 *
 * outcome: ok
 * kind: rcu-stall
 * cmdline: sysctl.kernel.watchdog=1 sysctl.kernel.watchdog_thresh=1
 * cmdline: sysctl.kernel.hung_task_timeout_secs=1 rcupdate.rcu_cpu_stall_timeout=3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/nmi.h>
#include <linux/rcupdate.h>

static struct rcu_head head;

static void nothing(struct rcu_head *unused)
{
}

static int __init rcu_stall_init(void)
{
	call_rcu(&head, nothing);
	rcu_read_lock();
	for (int i = 0; i < 70; i++) {
		mdelay(100); /* BUG HERE */
		touch_nmi_watchdog();
	}
	rcu_read_unlock();
	rcu_barrier();
	return 0;
}
module_init(rcu_stall_init);

static void __exit rcu_stall_exit(void)
{
}
module_exit(rcu_stall_exit);

MODULE_DESCRIPTION("Reads under RCU for seven seconds without a pause, while something waits for the readers to end");
MODULE_LICENSE("GPL");
