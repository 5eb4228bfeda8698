// SPDX-License-Identifier: GPL-2.0
/*
 * Stays a reader of RCU for six seconds, while something waits for the readers to end.
 *
 * outcome: ok
 * kind: rcu-stall
 * cmdline: sysctl.kernel.watchdog=1 sysctl.kernel.watchdog_thresh=1
 * cmdline: sysctl.kernel.hung_task_timeout_secs=1 rcupdate.rcu_cpu_stall_timeout=3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/jiffies.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

static struct rcu_head head;

static void nothing(struct rcu_head *unused)
{
}

static int __init rcu_stall_init(void)
{
	unsigned long end = jiffies + 6 * HZ;

	rcu_read_lock();
	call_rcu(&head, nothing);
	while (time_before(jiffies, end))
		cond_resched(); /* BUG HERE */
	rcu_read_unlock();
	rcu_barrier();
	return 0;
}
module_init(rcu_stall_init);

static void __exit rcu_stall_exit(void)
{
}
module_exit(rcu_stall_exit);

MODULE_DESCRIPTION("Stays a reader of RCU for six seconds, while something waits for the readers to end");
MODULE_LICENSE("GPL");
