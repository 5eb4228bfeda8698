// SPDX-License-Identifier: GPL-2.0
/*
 * Reads freed memory again and again: now and then it is memory that KFENCE guards.
 *
 * outcome: oops
 * kind: kfence
 * needs: CONFIG_KFENCE=y
 * cmdline: kfence.sample_interval=100
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/jiffies.h>
#include <linux/slab.h>

static noinline int read_freed(void)
{
	int *number = kmalloc(32, GFP_KERNEL);

	if (!number)
		return 0;
	kfree(number);
	OPTIMIZER_HIDE_VAR(number);
	return READ_ONCE(*number); /* BUG HERE */
}

static int __init kfence_read_init(void)
{
	unsigned long end = jiffies + HZ / 2;

	while (time_before(jiffies, end))
		read_freed();
	return 0;
}
module_init(kfence_read_init);

static void __exit kfence_read_exit(void)
{
}
module_exit(kfence_read_exit);

MODULE_DESCRIPTION("Reads freed memory again and again: now and then it is memory that KFENCE guards");
MODULE_LICENSE("GPL");
