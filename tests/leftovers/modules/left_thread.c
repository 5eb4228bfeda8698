// SPDX-License-Identifier: GPL-2.0
/* Forgets a kernel thread. */
#include <linux/module.h>
#include <linux/kthread.h>
#include <linux/delay.h>
#include <linux/err.h>

static int left_loop(void *data)
{
	while (!kthread_should_stop())
		ssleep(600);
	return 0;
}

static int __init left_thread_init(void)
{
	return PTR_ERR_OR_ZERO(kthread_run(left_loop, NULL, "left_thread"));
}
module_init(left_thread_init);

static void __exit left_thread_exit(void)
{
	pr_info("left_thread: bye\n");
}
module_exit(left_thread_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a kernel thread.");
