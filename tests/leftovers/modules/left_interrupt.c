// SPDX-License-Identifier: GPL-2.0
/* Forgets the handler of an interrupt. */
#include <linux/module.h>
#include <linux/interrupt.h>

static int left_cookie;
static irqreturn_t left_handler(int irq, void *cookie)
{
	return IRQ_NONE;
}

static int __init left_interrupt_init(void)
{
	return request_irq(7, left_handler, 0, "left_interrupt", &left_cookie);
}
module_init(left_interrupt_init);

static void __exit left_interrupt_exit(void)
{
	pr_info("left_interrupt: bye\n");
}
module_exit(left_interrupt_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets the handler of an interrupt.");
