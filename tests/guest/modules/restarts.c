// SPDX-License-Identifier: GPL-2.0
/* Restarts the machine as it is loaded */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/reboot.h>

static int __init restarts_init(void)
{
	pr_info("restarts: begins\n");
	emergency_restart();
	return 0;
}
module_init(restarts_init);

static void __exit restarts_exit(void)
{
	pr_info("restarts: ends\n");
}
module_exit(restarts_exit);

MODULE_DESCRIPTION("Restarts the machine as it is loaded");
MODULE_LICENSE("GPL");
