// SPDX-License-Identifier: GPL-2.0
/*
 * Switches the machine off.
 *
 * outcome: powered-off
 * kind: none
 * ending: off
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/reboot.h>

static int __init power_off_init(void)
{
	kernel_power_off();
	return 0;
}
module_init(power_off_init);

static void __exit power_off_exit(void)
{
}
module_exit(power_off_exit);

MODULE_DESCRIPTION("Switches the machine off");
MODULE_LICENSE("GPL");
