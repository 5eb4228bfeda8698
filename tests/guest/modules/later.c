// SPDX-License-Identifier: GPL-2.0
/* Speaks from a timer, half a second after it was loaded */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/timer.h>

static void fire(struct timer_list *timer)
{
	pr_info("later: the timer fired\n");
}
static DEFINE_TIMER(timer, fire);

static int __init later_init(void)
{
	pr_info("later: begins\n");
	mod_timer(&timer, jiffies + HZ / 2);
	return 0;
}
module_init(later_init);

static void __exit later_exit(void)
{
	timer_delete_sync(&timer);
	pr_info("later: ends\n");
}
module_exit(later_exit);

MODULE_DESCRIPTION("Speaks from a timer, half a second after it was loaded");
MODULE_LICENSE("GPL");
