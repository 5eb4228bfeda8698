// SPDX-License-Identifier: GPL-2.0
/*
 * Hands a NULL pointer to a function of the kernel, which follows it.
 *
 * outcome: oops
 * kind: null-pointer
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/string.h>

static char *label;

static int __init null_string_init(void)
{
	OPTIMIZER_HIDE_VAR(label);
	pr_info("null_string: %p\n", strchr(label, 'x')); /* BUG HERE */
	return 0;
}
module_init(null_string_init);

static void __exit null_string_exit(void)
{
}
module_exit(null_string_exit);

MODULE_DESCRIPTION("Hands a NULL pointer to a function of the kernel, which follows it");
MODULE_LICENSE("GPL");
