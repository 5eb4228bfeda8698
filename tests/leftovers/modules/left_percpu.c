// SPDX-License-Identifier: GPL-2.0
/* Forgets memory of each processor each time. */
#include <linux/module.h>
#include <linux/percpu.h>



static int __init left_percpu_init(void)
{
	return alloc_percpu(long) ? 0 : -ENOMEM;
}
module_init(left_percpu_init);

static void __exit left_percpu_exit(void)
{
	pr_info("left_percpu: bye\n");
}
module_exit(left_percpu_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets memory of each processor each time.");
