// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a NULL pointer in a timer's function: an interrupt's context, so the kernel panics.
 *
 * outcome: panic
 * kind: null-pointer
 * ending: oops
 * exec: sleep 2
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/timer.h>

static int *counter;

static void tick(struct timer_list *timer)
{
	OPTIMIZER_HIDE_VAR(counter);
	*counter += 1; /* BUG HERE */
}
static DEFINE_TIMER(timer, tick);

static int __init null_timer_init(void)
{
	mod_timer(&timer, jiffies + HZ / 20);
	return 0;
}
module_init(null_timer_init);

static void __exit null_timer_exit(void)
{
	timer_delete_sync(&timer);
}
module_exit(null_timer_exit);

MODULE_DESCRIPTION("Follows a NULL pointer in a timer's function: an interrupt's context, so the kernel panics");
MODULE_LICENSE("GPL");
