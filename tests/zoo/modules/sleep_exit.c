// SPDX-License-Identifier: GPL-2.0
/*
 * Waits in its exit function for a thread that does not listen.
 *
 * outcome: hang
 * kind: stack-trace
 * ending: asleep exit
 * timeout: 3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/kthread.h>
#include <linux/err.h>
#include <linux/delay.h>

static struct task_struct *thread;

static int work(void *unused)
{
	for (;;)
		msleep(50);
	return 0;
}

static int __init sleep_exit_init(void)
{
	thread = kthread_run(work, NULL, "sleep_exit");
	return PTR_ERR_OR_ZERO(thread);
}
module_init(sleep_exit_init);

static void __exit sleep_exit_exit(void)
{
	kthread_stop(thread); /* BUG HERE */
	pr_info("sleep_exit: it ended\n");
}
module_exit(sleep_exit_exit);

MODULE_DESCRIPTION("Waits in its exit function for a thread that does not listen");
MODULE_LICENSE("GPL");
