// SPDX-License-Identifier: GPL-2.0
/*
 * Returns a number that is no error from its init function.
 *
 * outcome: ok
 * kind: stack-trace
 */
#include <linux/init.h>
#include <linux/module.h>

static int __init init_positive_init(void)
{
	return 7;
}
module_init(init_positive_init);

static void __exit init_positive_exit(void)
{
}
module_exit(init_positive_exit);

MODULE_DESCRIPTION("Returns a number that is no error from its init function");
MODULE_LICENSE("GPL");
