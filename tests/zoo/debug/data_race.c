// SPDX-License-Identifier: GPL-2.0
/*
 * Two threads count in one variable without a lock.
 *
 * outcome: oops
 * kind: kcsan
 * needs: CONFIG_KCSAN=y CONFIG_DEBUG_INFO=y
 * cpus: 2
 * memory: 512
 */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/kthread.h>
#include <linux/module.h>

static int hits;
static struct task_struct *threads[2];

static int count(void *unused)
{
	while (!kthread_should_stop()) {
		hits++; /* BUG HERE */
		if (!(hits & 0xffff))
			cond_resched();
	}
	return 0;
}

static int __init data_race_init(void)
{
	int i;

	for (i = 0; i < 2; i++)
		threads[i] = kthread_run(count, NULL, "counter/%d", i);
	msleep(1000);
	for (i = 0; i < 2; i++)
		kthread_stop(threads[i]);
	return 0;
}
module_init(data_race_init);

static void __exit data_race_exit(void)
{
}
module_exit(data_race_exit);

MODULE_DESCRIPTION("A data race");
MODULE_LICENSE("GPL");
