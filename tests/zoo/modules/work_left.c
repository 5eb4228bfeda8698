// SPDX-License-Identifier: GPL-2.0
/*
 * Leaves a work item waiting when it is unloaded.
 *
 * outcome: panic
 * kind: page-fault
 * exec: rmmod work_left; sleep 5
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/workqueue.h>

static void count(struct work_struct *work)
{
	pr_info("work_left: counts\n");
}
static DECLARE_DELAYED_WORK(work, count);

static int __init work_left_init(void)
{
	schedule_delayed_work(&work, 3 * HZ);
	return 0;
}
module_init(work_left_init);

static void __exit work_left_exit(void)
{
}
module_exit(work_left_exit);

MODULE_DESCRIPTION("Leaves a work item waiting when it is unloaded");
MODULE_LICENSE("GPL");
