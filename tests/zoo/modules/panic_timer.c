// SPDX-License-Identifier: GPL-2.0
/*
 * Panics in a timer's function, after it was loaded well.
 *
 * outcome: panic
 * kind: panic
 * exec: sleep 2
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/timer.h>

static void too_late(struct timer_list *timer)
{
	panic("panic_timer: too late"); /* BUG HERE */
}
static DEFINE_TIMER(timer, too_late);

static int __init panic_timer_init(void)
{
	mod_timer(&timer, jiffies + HZ / 20);
	return 0;
}
module_init(panic_timer_init);

static void __exit panic_timer_exit(void)
{
	timer_delete_sync(&timer);
}
module_exit(panic_timer_exit);

MODULE_DESCRIPTION("Panics in a timer's function, after it was loaded well");
MODULE_LICENSE("GPL");
