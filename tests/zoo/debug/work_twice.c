// SPDX-License-Identifier: GPL-2.0
/*
 * Sets a work item up anew while it waits to run.
 *
 * outcome: ok
 * kind: object-misuse
 * needs: CONFIG_DEBUG_OBJECTS_WORK=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/workqueue.h>

static struct delayed_work work;

static void count(struct work_struct *unused)
{
}

static int __init work_twice_init(void)
{
	INIT_DELAYED_WORK(&work, count);
	schedule_delayed_work(&work, 3600 * HZ);
	INIT_DELAYED_WORK(&work, count); /* BUG HERE */
	return 0;
}
module_init(work_twice_init);

static void __exit work_twice_exit(void)
{
}
module_exit(work_twice_exit);

MODULE_DESCRIPTION("Sets a work item up anew while it waits to run");
MODULE_LICENSE("GPL");
