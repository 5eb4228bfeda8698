// SPDX-License-Identifier: GPL-2.0
/* Switches the machine off as it is loaded */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/reboot.h>

static int __init powers_init(void)
{
	pr_info("powers: begins\n");
	kernel_power_off();
	return 0;
}
module_init(powers_init);

static void __exit powers_exit(void)
{
	pr_info("powers: ends\n");
}
module_exit(powers_exit);

MODULE_DESCRIPTION("Switches the machine off as it is loaded");
MODULE_LICENSE("GPL");
