// SPDX-License-Identifier: GPL-2.0
/*
 * Turns an interrupt on that was not off.
 *
 * outcome: ok
 * kind: warning
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/interrupt.h>

static irqreturn_t handle(int irq, void *unused)
{
	return IRQ_NONE;
}

static int __init irq_unbalanced_init(void)
{
	int errno = request_irq(5, handle, 0, "irq_unbalanced", NULL);

	if (errno)
		return errno;
	enable_irq(5); /* BUG HERE */
	free_irq(5, NULL);
	return 0;
}
module_init(irq_unbalanced_init);

static void __exit irq_unbalanced_exit(void)
{
}
module_exit(irq_unbalanced_exit);

MODULE_DESCRIPTION("Turns an interrupt on that was not off");
MODULE_LICENSE("GPL");
