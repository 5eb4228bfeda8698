// SPDX-License-Identifier: GPL-2.0
/*
 * Leaves a timer running when it is unloaded.
 *
 * outcome: panic
 * kind: unloaded-in-use
 * ending: oops
 * exec: rmmod timer_left; sleep 2
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timer.h>

static void tick(struct timer_list *timer)
{
	mod_timer(timer, jiffies + HZ / 5);
}

/* Not in the module: what walks the timers meets memory that is whole, and only tick() is gone. */
static struct timer_list *timer;

static int __init timer_left_init(void)
{
	timer = kzalloc(sizeof(*timer), GFP_KERNEL);
	if (!timer)
		return -ENOMEM;
	timer_setup(timer, tick, 0);
	mod_timer(timer, jiffies + HZ / 5);
	return 0;
}
module_init(timer_left_init);

static void __exit timer_left_exit(void)
{
}
module_exit(timer_left_exit);

MODULE_DESCRIPTION("Leaves a timer running when it is unloaded");
MODULE_LICENSE("GPL");
