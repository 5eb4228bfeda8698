// SPDX-License-Identifier: GPL-2.0
/*
 * Writes twenty thousand lines to the kernel log.
 *
 * outcome: ok
 * kind: none
 * timeout: 60
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

static int __init log_flood_init(void)
{
	for (int i = 0; i < 20000; i++)
		pr_info("log_flood: line %d of a great many that nobody wants to read\n", i);
	return 0;
}
module_init(log_flood_init);

static void __exit log_flood_exit(void)
{
}
module_exit(log_flood_exit);

MODULE_DESCRIPTION("Writes twenty thousand lines to the kernel log");
MODULE_LICENSE("GPL");
