// SPDX-License-Identifier: GPL-2.0
/*
 * Loops for ever with interrupts off.
 *
 * outcome: hang
 * kind: panic
 * ending: interrupts-off init
 * timeout: 3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/irqflags.h>

static int stop;

static int __init irqs_off_init(void)
{
	local_irq_disable();
	while (!READ_ONCE(stop)) /* BUG HERE */
		;
	local_irq_enable();
	return 0;
}
module_init(irqs_off_init);

static void __exit irqs_off_exit(void)
{
}
module_exit(irqs_off_exit);

MODULE_DESCRIPTION("Loops for ever with interrupts off");
MODULE_LICENSE("GPL");
