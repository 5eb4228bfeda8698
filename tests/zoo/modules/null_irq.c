// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a NULL pointer in a hardware interrupt's context.
 *
 * outcome: panic
 * kind: null-pointer
 * ending: oops
 * exec: sleep 2
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/irq_work.h>

static int *counter;

static void in_interrupt_context(struct irq_work *work)
{
	OPTIMIZER_HIDE_VAR(counter);
	*counter += 1; /* BUG HERE */
}
static DEFINE_IRQ_WORK(work, in_interrupt_context);

static int __init null_irq_init(void)
{
	irq_work_queue(&work);
	return 0;
}
module_init(null_irq_init);

static void __exit null_irq_exit(void)
{
	irq_work_sync(&work);
}
module_exit(null_irq_exit);

MODULE_DESCRIPTION("Follows a NULL pointer in a hardware interrupt's context");
MODULE_LICENSE("GPL");
