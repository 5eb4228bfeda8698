// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a NULL pointer in a kernel thread.
 *
 * outcome: oops
 * kind: null-pointer
 * exec: sleep 1
 * nounload: its thread is gone
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/kthread.h>
#include <linux/err.h>

static struct task_struct *thread;
static int *counter;

static int count(void *unused)
{
	OPTIMIZER_HIDE_VAR(counter);
	*counter += 1; /* BUG HERE */
	return 0;
}

static int __init null_thread_init(void)
{
	thread = kthread_run(count, NULL, "null_thread");
	return PTR_ERR_OR_ZERO(thread);
}
module_init(null_thread_init);

static void __exit null_thread_exit(void)
{
}
module_exit(null_thread_exit);

MODULE_DESCRIPTION("Follows a NULL pointer in a kernel thread");
MODULE_LICENSE("GPL");
