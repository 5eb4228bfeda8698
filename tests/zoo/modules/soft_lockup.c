// SPDX-License-Identifier: GPL-2.0
/*
 * Does not let the scheduler run for four seconds.
 *
 * outcome: ok
 * kind: soft-lockup
 * cmdline: sysctl.kernel.watchdog=1 sysctl.kernel.watchdog_thresh=1
 * cmdline: sysctl.kernel.hung_task_timeout_secs=1 rcupdate.rcu_cpu_stall_timeout=3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/delay.h>
#include <linux/preempt.h>

static int __init soft_lockup_init(void)
{
	preempt_disable();
	mdelay(4000); /* BUG HERE */
	preempt_enable();
	return 0;
}
module_init(soft_lockup_init);

static void __exit soft_lockup_exit(void)
{
}
module_exit(soft_lockup_exit);

MODULE_DESCRIPTION("Does not let the scheduler run for four seconds");
MODULE_LICENSE("GPL");
