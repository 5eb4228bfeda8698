// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a pointer of user space without copy_from_user().
 *
 * outcome: oops
 * kind: page-fault
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/mm_types.h>

static int __init user_pointer_init(void)
{
	const char *words = (const char *)current->mm->arg_start;

	OPTIMIZER_HIDE_VAR(words);
	pr_info("user_pointer: %c\n", *words); /* BUG HERE */
	return 0;
}
module_init(user_pointer_init);

static void __exit user_pointer_exit(void)
{
}
module_exit(user_pointer_exit);

MODULE_DESCRIPTION("Follows a pointer of user space without copy_from_user()");
MODULE_LICENSE("GPL");
