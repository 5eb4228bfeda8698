// SPDX-License-Identifier: GPL-2.0
/* Writes through a null pointer as it is loaded */
#include <linux/init.h>
#include <linux/module.h>

static int __init points_init(void)
{
	pr_info("points: begins\n");
	*(volatile int *)8 = 1;
	return 0;
}
module_init(points_init);

static void __exit points_exit(void)
{
	pr_info("points: ends\n");
}
module_exit(points_exit);

MODULE_DESCRIPTION("Writes through a null pointer as it is loaded");
MODULE_LICENSE("GPL");
