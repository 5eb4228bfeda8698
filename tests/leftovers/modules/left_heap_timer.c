// SPDX-License-Identifier: GPL-2.0
/* Forgets a timer in memory that it forgets too. */
#include <linux/module.h>
#include <linux/timer.h>
#include <linux/jiffies.h>
#include <linux/slab.h>

static struct timer_list *left_clock;
static void left_tick(struct timer_list *timer)
{
	pr_info("tick\n");
}

static int __init left_heap_timer_init(void)
{
	left_clock = kzalloc(sizeof(*left_clock), GFP_KERNEL);
	if (!left_clock)
		return -ENOMEM;
	timer_setup(left_clock, left_tick, 0);
	mod_timer(left_clock, jiffies + 600 * HZ);
	return 0;
}
module_init(left_heap_timer_init);

static void __exit left_heap_timer_exit(void)
{
	pr_info("left_heap_timer: bye\n");
}
module_exit(left_heap_timer_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a timer in memory that it forgets too.");
