// SPDX-License-Identifier: GPL-2.0
/*
 * Gives user space more than the object has; only the kernel's own check can tell.
 *
 * outcome: oops
 * kind: buffer-overflow
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/mm_types.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

static int __init usercopy_init(void)
{
	size_t size = 512;
	char *secret = kzalloc(64, GFP_KERNEL);
	long left;

	if (!secret)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(size);
	OPTIMIZER_HIDE_VAR(secret);
	left = copy_to_user((void __user *)current->mm->arg_start, secret, size); /* BUG HERE */
	kfree(secret);
	return left ? -EFAULT : 0;
}
module_init(usercopy_init);

static void __exit usercopy_exit(void)
{
}
module_exit(usercopy_exit);

MODULE_DESCRIPTION("Gives user space more than the object has; only the kernel's own check can tell");
MODULE_LICENSE("GPL");
