// SPDX-License-Identifier: GPL-2.0
/* Turns the machine off as soon as it is loaded. In a guest, that is an outcome: powered-off. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/pm.h>
#include <linux/printk.h>
#include <linux/reboot.h>

static int __init poweroff_init(void)
{
	pr_info("poweroff: the end is nigh\n");
	if (pm_power_off)
		pm_power_off();
	/* Since 5.19 firmware registers handlers instead (98f30d0ecf79), and the pointer is mostly empty. */
	kernel_power_off();
	return 0;
}
module_init(poweroff_init);

MODULE_DESCRIPTION("Turns the machine off");
MODULE_AUTHOR("The lkm project");
MODULE_LICENSE("GPL");
