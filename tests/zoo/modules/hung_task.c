// SPDX-License-Identifier: GPL-2.0
/*
 * Has a thread that waits uninterruptibly for ever.
 *
 * outcome: ok
 * kind: hung-task
 * cmdline: sysctl.kernel.watchdog=1 sysctl.kernel.watchdog_thresh=1
 * cmdline: sysctl.kernel.hung_task_timeout_secs=1 rcupdate.rcu_cpu_stall_timeout=3
 * exec: sleep 4
 * nounload: the thread cannot be stopped
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/kthread.h>
#include <linux/err.h>
#include <linux/sched.h>

static int wait_for_ever(void *unused)
{
	set_current_state(TASK_UNINTERRUPTIBLE);
	schedule(); /* BUG HERE */
	return 0;
}

static int __init hung_task_init(void)
{
	return PTR_ERR_OR_ZERO(kthread_run(wait_for_ever, NULL, "hung_task"));
}
module_init(hung_task_init);

static void __exit hung_task_exit(void)
{
}
module_exit(hung_task_exit);

MODULE_DESCRIPTION("Has a thread that waits uninterruptibly for ever");
MODULE_LICENSE("GPL");
