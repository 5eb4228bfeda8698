// SPDX-License-Identifier: GPL-2.0
/* Forgets a timer that is pending. */
#include <linux/module.h>
#include <linux/timer.h>
#include <linux/jiffies.h>

static void left_tick(struct timer_list *timer)
{
	pr_info("tick\n");
}
static DEFINE_TIMER(left_clock, left_tick);

static int __init left_timer_init(void)
{
	mod_timer(&left_clock, jiffies + 600 * HZ);
	return 0;
}
module_init(left_timer_init);

static void __exit left_timer_exit(void)
{
	pr_info("left_timer: bye\n");
}
module_exit(left_timer_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a timer that is pending.");
