// SPDX-License-Identifier: GPL-2.0
/*
 * Gives user space more than the object has; the compiler knew the object's size.
 *
 * outcome: load-failed
 * kind: buffer-overflow
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/mm_types.h>
#include <linux/uaccess.h>

static char secret[64];

static int __init copy_overflow_init(void)
{
	size_t size = 512;

	OPTIMIZER_HIDE_VAR(size);
	if (copy_to_user((void __user *)current->mm->arg_start, secret, size)) /* BUG HERE */
		return -EFAULT;
	return 0;
}
module_init(copy_overflow_init);

static void __exit copy_overflow_exit(void)
{
}
module_exit(copy_overflow_exit);

MODULE_DESCRIPTION("Gives user space more than the object has; the compiler knew the object's size");
MODULE_LICENSE("GPL");
