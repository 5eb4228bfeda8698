// SPDX-License-Identifier: GPL-2.0
/* Loops for ever with interrupts off */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/irqflags.h>

static int on = 1;

static int __init deaf_init(void)
{
	pr_info("deaf: begins\n");
	local_irq_disable();
	while (READ_ONCE(on))
		barrier();
	return 0;
}
module_init(deaf_init);

static void __exit deaf_exit(void)
{
	pr_info("deaf: ends\n");
}
module_exit(deaf_exit);

MODULE_DESCRIPTION("Loops for ever with interrupts off");
MODULE_LICENSE("GPL");
