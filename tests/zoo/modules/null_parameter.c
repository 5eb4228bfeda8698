// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a NULL pointer in the function that takes a parameter's value.
 *
 * outcome: oops
 * kind: null-pointer
 * parameters: level=3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/kernel.h>

static int *target;

static int set_level(const char *value, const struct kernel_param *param)
{
	OPTIMIZER_HIDE_VAR(target);
	*target = value[0]; /* BUG HERE */
	return 0;
}

static const struct kernel_param_ops level_ops = {
	.set = set_level,
};
module_param_cb(level, &level_ops, NULL, 0200);

static int __init null_parameter_init(void)
{
	return 0;
}
module_init(null_parameter_init);

static void __exit null_parameter_exit(void)
{
}
module_exit(null_parameter_exit);

MODULE_DESCRIPTION("Follows a NULL pointer in the function that takes a parameter's value");
MODULE_LICENSE("GPL");
