// SPDX-License-Identifier: GPL-2.0
/*
 * Loops for ever in a timer's function: nothing else runs any more.
 *
 * outcome: hang
 * kind: panic
 * ending: looping timer
 * timeout: 3
 * exec: sleep 1
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/timer.h>

static int stop;

static void spin(struct timer_list *timer)
{
	while (!READ_ONCE(stop)) /* BUG HERE */
		;
}
static DEFINE_TIMER(timer, spin);

static int __init busy_timer_init(void)
{
	mod_timer(&timer, jiffies + HZ / 20);
	return 0;
}
module_init(busy_timer_init);

static void __exit busy_timer_exit(void)
{
	timer_delete_sync(&timer);
}
module_exit(busy_timer_exit);

MODULE_DESCRIPTION("Loops for ever in a timer's function: nothing else runs any more");
MODULE_LICENSE("GPL");
