// SPDX-License-Identifier: GPL-2.0
/* Forgets a high-resolution timer. */
#include <linux/module.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/version.h>
#include <linux/slab.h>

static struct hrtimer *left_clock;
static enum hrtimer_restart left_ring(struct hrtimer *timer)
{
	return HRTIMER_NORESTART;
}

static int __init left_hrtimer_init(void)
{
	left_clock = kzalloc(sizeof(*left_clock), GFP_KERNEL);
	if (!left_clock)
		return -ENOMEM;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(left_clock, left_ring, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(left_clock, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	left_clock->function = left_ring;
#endif
	hrtimer_start(left_clock, ktime_set(600, 0), HRTIMER_MODE_REL);
	return 0;
}
module_init(left_hrtimer_init);

static void __exit left_hrtimer_exit(void)
{
	pr_info("left_hrtimer: bye\n");
}
module_exit(left_hrtimer_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a high-resolution timer.");
