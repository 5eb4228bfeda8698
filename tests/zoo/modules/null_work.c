// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a NULL pointer in a work item: it is a kernel thread that dies.
 *
 * outcome: oops
 * kind: null-pointer
 * exec: sleep 1
 * nounload: the dead worker would be waited for
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/workqueue.h>

static int *counter;

static void count(struct work_struct *work)
{
	OPTIMIZER_HIDE_VAR(counter);
	*counter += 1; /* BUG HERE */
}
static DECLARE_WORK(work, count);

static int __init null_work_init(void)
{
	schedule_work(&work);
	return 0;
}
module_init(null_work_init);

static void __exit null_work_exit(void)
{
}
module_exit(null_work_exit);

MODULE_DESCRIPTION("Follows a NULL pointer in a work item: it is a kernel thread that dies");
MODULE_LICENSE("GPL");
