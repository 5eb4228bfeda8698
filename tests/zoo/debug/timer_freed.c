// SPDX-License-Identifier: GPL-2.0
/*
 * Frees memory with a timer in it that is still to fire.
 *
 * outcome: ok
 * kind: object-misuse
 * needs: CONFIG_DEBUG_OBJECTS_TIMERS=y CONFIG_DEBUG_OBJECTS_FREE=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timer.h>

struct bell {
	struct timer_list timer;
};

static void ring(struct timer_list *timer)
{
}

static int __init timer_freed_init(void)
{
	struct bell *bell = kzalloc(sizeof(*bell), GFP_KERNEL);

	if (!bell)
		return -ENOMEM;
	timer_setup(&bell->timer, ring, 0);
	mod_timer(&bell->timer, jiffies + 3600 * HZ);
	kfree(bell); /* BUG HERE */
	return 0;
}
module_init(timer_freed_init);

static void __exit timer_freed_exit(void)
{
}
module_exit(timer_freed_exit);

MODULE_DESCRIPTION("Frees memory with a timer in it that is still to fire");
MODULE_LICENSE("GPL");
