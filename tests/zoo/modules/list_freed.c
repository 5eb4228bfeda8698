// SPDX-License-Identifier: GPL-2.0
/*
 * Goes on along a list from an entry that was taken out of it.
 *
 * outcome: oops
 * kind: general-protection
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/list.h>

struct job {
	int number;
	struct list_head entry;
};
static LIST_HEAD(jobs);
static struct job first = { .number = 1 }, second = { .number = 2 };

static noinline int add_up(void)
{
	struct job *job;
	int sum = 0;

	list_for_each_entry(job, &jobs, entry) {
		sum += READ_ONCE(job->number); /* BUG HERE */
		list_del(&job->entry);
	}
	return sum;
}

static int __init list_freed_init(void)
{
	list_add(&first.entry, &jobs);
	list_add(&second.entry, &jobs);
	pr_info("list_freed: %d\n", add_up());
	return 0;
}
module_init(list_freed_init);

static void __exit list_freed_exit(void)
{
}
module_exit(list_freed_exit);

MODULE_DESCRIPTION("Goes on along a list from an entry that was taken out of it");
MODULE_LICENSE("GPL");
