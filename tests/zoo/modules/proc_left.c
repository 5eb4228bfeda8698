// SPDX-License-Identifier: GPL-2.0
/*
 * Leaves its entry of /proc when it is unloaded, and then it is read.
 *
 * outcome: oops
 * kind: page-fault
 * exec: rmmod proc_left; cat /proc/proc_left
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/proc_fs.h>

static ssize_t read_nothing(struct file *file, char __user *to, size_t size, loff_t *at)
{
	return 0;
}

static const struct proc_ops ops = {
	.proc_read = read_nothing,
};

static int __init proc_left_init(void)
{
	return proc_create("proc_left", 0444, NULL, &ops) ? 0 : -ENOMEM;
}
module_init(proc_left_init);

static void __exit proc_left_exit(void)
{
}
module_exit(proc_left_exit);

MODULE_DESCRIPTION("Leaves its entry of /proc when it is unloaded, and then it is read");
MODULE_LICENSE("GPL");
