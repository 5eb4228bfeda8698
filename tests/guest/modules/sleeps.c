// SPDX-License-Identifier: GPL-2.0
/* Sleeps long as it is loaded, and says so each second */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/delay.h>

static int seconds = 1000;
module_param(seconds, int, 0);

static int __init sleeps_init(void)
{
	pr_info("sleeps: begins\n");
	for (int i = 1; i <= seconds; i++) {
		msleep(1000);
		pr_info("sleeps: %d\n", i);
	}
	return 0;
}
module_init(sleeps_init);

static void __exit sleeps_exit(void)
{
	pr_info("sleeps: ends\n");
}
module_exit(sleeps_exit);

MODULE_DESCRIPTION("Sleeps long as it is loaded, and says so each second");
MODULE_LICENSE("GPL");
