// SPDX-License-Identifier: GPL-2.0
/* Divides by zero as it is loaded */
#include <linux/init.h>
#include <linux/module.h>

static int zero;
module_param(zero, int, 0);

static int __init divides_init(void)
{
	pr_info("divides: begins\n");
	pr_info("%d\n", 7 / zero);
	return 0;
}
module_init(divides_init);

static void __exit divides_exit(void)
{
	pr_info("divides: ends\n");
}
module_exit(divides_exit);

MODULE_DESCRIPTION("Divides by zero as it is loaded");
MODULE_LICENSE("GPL");
