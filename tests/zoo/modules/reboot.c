// SPDX-License-Identifier: GPL-2.0
/*
 * Restarts the machine.
 *
 * outcome: powered-off
 * kind: none
 * ending: restarted
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/reboot.h>

static int __init reboot_init(void)
{
	emergency_restart();
	return 0;
}
module_init(reboot_init);

static void __exit reboot_exit(void)
{
}
module_exit(reboot_exit);

MODULE_DESCRIPTION("Restarts the machine");
MODULE_LICENSE("GPL");
