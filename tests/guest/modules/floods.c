// SPDX-License-Identifier: GPL-2.0
/* Prints much */
#include <linux/init.h>
#include <linux/module.h>

static int lines = 20000;
module_param(lines, int, 0);

static int __init floods_init(void)
{
	pr_info("floods: begins\n");
	for (int i = 0; i < lines; i++)
		pr_info("floods: line %d of the flood\n", i);
	return 0;
}
module_init(floods_init);

static void __exit floods_exit(void)
{
	pr_info("floods: ends\n");
}
module_exit(floods_exit);

MODULE_DESCRIPTION("Prints much");
MODULE_LICENSE("GPL");
