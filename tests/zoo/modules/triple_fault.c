// SPDX-License-Identifier: GPL-2.0
/*
 * Takes the table of interrupts away: the processor gives up.
 *
 * outcome: powered-off
 * kind: none
 * ending: triple-fault
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/irqflags.h>
#include <asm/desc.h>

static int __init triple_fault_init(void)
{
	struct desc_ptr none = { 0, 0 };

	local_irq_disable();
	load_idt(&none);
	asm volatile("int3");
	return 0;
}
module_init(triple_fault_init);

static void __exit triple_fault_exit(void)
{
}
module_exit(triple_fault_exit);

MODULE_DESCRIPTION("Takes the table of interrupts away: the processor gives up");
MODULE_LICENSE("GPL");
