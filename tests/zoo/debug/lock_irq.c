// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a lock with interrupts on that an interrupt takes, too.
 *
 * outcome: ok
 * kind: lock-inversion
 * needs: CONFIG_PROVE_LOCKING=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/irq_work.h>
#include <linux/spinlock.h>

static DEFINE_SPINLOCK(lock);

static void in_interrupt_context(struct irq_work *work)
{
	spin_lock(&lock);
	spin_unlock(&lock);
}
static DEFINE_IRQ_WORK(work, in_interrupt_context);

static int __init lock_irq_init(void)
{
	irq_work_queue(&work);
	irq_work_sync(&work);
	spin_lock(&lock); /* BUG HERE */
	spin_unlock(&lock);
	return 0;
}
module_init(lock_irq_init);

static void __exit lock_irq_exit(void)
{
}
module_exit(lock_irq_exit);

MODULE_DESCRIPTION("Takes a lock with interrupts on that an interrupt takes, too");
MODULE_LICENSE("GPL");
