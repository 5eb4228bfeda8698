// SPDX-License-Identifier: GPL-2.0
/* Forgets delayed work. */
#include <linux/module.h>
#include <linux/workqueue.h>

static void left_job(struct work_struct *work)
{
	pr_info("job\n");
}
static DECLARE_DELAYED_WORK(left_later, left_job);

static int __init left_work_init(void)
{
	schedule_delayed_work(&left_later, 600 * HZ);
	return 0;
}
module_init(left_work_init);

static void __exit left_work_exit(void)
{
	pr_info("left_work: bye\n");
}
module_exit(left_work_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets delayed work.");
