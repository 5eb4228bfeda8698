// SPDX-License-Identifier: GPL-2.0
/*
 * Leaves a thread running when it is unloaded: its code is gone.
 *
 * outcome: oops
 * kind: unloaded-in-use
 * exec: rmmod thread_left; sleep 1
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/kthread.h>
#include <linux/err.h>
#include <linux/delay.h>

static int work(void *unused)
{
	for (;;)
		msleep(20);
	return 0;
}

static int __init thread_left_init(void)
{
	return PTR_ERR_OR_ZERO(kthread_run(work, NULL, "thread_left"));
}
module_init(thread_left_init);

static void __exit thread_left_exit(void)
{
}
module_exit(thread_left_exit);

MODULE_DESCRIPTION("Leaves a thread running when it is unloaded: its code is gone");
MODULE_LICENSE("GPL");
