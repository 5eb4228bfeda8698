// SPDX-License-Identifier: GPL-2.0
/*
 * Halts the machine: it is neither off nor answers.
 *
 * outcome: powered-off
 * kind: none
 * ending: halted
 * timeout: 3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/reboot.h>

static int __init halt_init(void)
{
	kernel_halt(); /* BUG HERE */
	return 0;
}
module_init(halt_init);

static void __exit halt_exit(void)
{
}
module_exit(halt_exit);

MODULE_DESCRIPTION("Halts the machine: it is neither off nor answers");
MODULE_LICENSE("GPL");
