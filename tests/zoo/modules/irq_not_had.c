// SPDX-License-Identifier: GPL-2.0
/*
 * Gives back an interrupt that it does not have.
 *
 * outcome: ok
 * kind: warning
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/interrupt.h>

static int __init irq_not_had_init(void)
{
	free_irq(5, NULL); /* BUG HERE */
	return 0;
}
module_init(irq_not_had_init);

static void __exit irq_not_had_exit(void)
{
}
module_exit(irq_not_had_exit);

MODULE_DESCRIPTION("Gives back an interrupt that it does not have");
MODULE_LICENSE("GPL");
