// SPDX-License-Identifier: GPL-2.0
/* Panics as it is loaded */
#include <linux/init.h>
#include <linux/module.h>

static int __init panics_init(void)
{
	pr_info("panics: begins\n");
	panic("said the module");
	return 0;
}
module_init(panics_init);

static void __exit panics_exit(void)
{
	pr_info("panics: ends\n");
}
module_exit(panics_exit);

MODULE_DESCRIPTION("Panics as it is loaded");
MODULE_LICENSE("GPL");
