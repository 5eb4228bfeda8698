// SPDX-License-Identifier: GPL-2.0
/*
 * Returns from init with interrupts off.
 *
 * outcome: ok
 * kind: warning
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/irqflags.h>

static int __init irqs_left_init(void)
{
	local_irq_disable();
	return 0;
}
module_init(irqs_left_init);

static void __exit irqs_left_exit(void)
{
}
module_exit(irqs_left_exit);

MODULE_DESCRIPTION("Returns from init with interrupts off");
MODULE_LICENSE("GPL");
