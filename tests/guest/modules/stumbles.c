// SPDX-License-Identifier: GPL-2.0
/* BUG() as it is unloaded */
#include <linux/init.h>
#include <linux/module.h>

static int __init stumbles_init(void)
{
	pr_info("stumbles: begins\n");
	return 0;
}
module_init(stumbles_init);

static void __exit stumbles_exit(void)
{
	BUG();
	pr_info("stumbles: ends\n");
}
module_exit(stumbles_exit);

MODULE_DESCRIPTION("BUG() as it is unloaded");
MODULE_LICENSE("GPL");
