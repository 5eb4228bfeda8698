// SPDX-License-Identifier: GPL-2.0
/* Forgets a workqueue. */
#include <linux/module.h>
#include <linux/workqueue.h>

static struct workqueue_struct *left_queue;

static int __init left_queue_init(void)
{
	left_queue = alloc_workqueue("left_queue", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	return left_queue ? 0 : -ENOMEM;
}
module_init(left_queue_init);

static void __exit left_queue_exit(void)
{
	pr_info("left_queue: bye\n");
}
module_exit(left_queue_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a workqueue.");
