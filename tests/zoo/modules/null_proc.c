// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a NULL pointer when its file in /proc is read.
 *
 * outcome: oops
 * kind: null-pointer
 * exec: cat /proc/null_proc
 * nounload: the reader that died still counts as one
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/proc_fs.h>

static int *counter;

static ssize_t read_counter(struct file *file, char __user *to, size_t size, loff_t *at)
{
	OPTIMIZER_HIDE_VAR(counter);
	return *counter; /* BUG HERE */
}

static const struct proc_ops ops = {
	.proc_read = read_counter,
};

static int __init null_proc_init(void)
{
	return proc_create("null_proc", 0444, NULL, &ops) ? 0 : -ENOMEM;
}
module_init(null_proc_init);

static void __exit null_proc_exit(void)
{
	remove_proc_entry("null_proc", NULL);
}
module_exit(null_proc_exit);

MODULE_DESCRIPTION("Follows a NULL pointer when its file in /proc is read");
MODULE_LICENSE("GPL");
