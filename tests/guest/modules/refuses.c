// SPDX-License-Identifier: GPL-2.0
/* Refuses to be loaded */
#include <linux/init.h>
#include <linux/module.h>

static int __init refuses_init(void)
{
	pr_info("refuses: begins\n");
	return -ENODEV;
}
module_init(refuses_init);

static void __exit refuses_exit(void)
{
	pr_info("refuses: ends\n");
}
module_exit(refuses_exit);

MODULE_DESCRIPTION("Refuses to be loaded");
MODULE_LICENSE("GPL");
