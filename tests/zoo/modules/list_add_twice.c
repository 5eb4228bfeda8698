// SPDX-License-Identifier: GPL-2.0
/*
 * Adds an entry to a list where it is already.
 *
 * outcome: oops
 * kind: list-corruption
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/list.h>

struct job {
	struct list_head entry;
};
static LIST_HEAD(jobs);
static struct job job;

static int __init list_add_twice_init(void)
{
	list_add(&job.entry, &jobs);
	list_add(&job.entry, &jobs); /* BUG HERE */
	return 0;
}
module_init(list_add_twice_init);

static void __exit list_add_twice_exit(void)
{
}
module_exit(list_add_twice_exit);

MODULE_DESCRIPTION("Adds an entry to a list where it is already");
MODULE_LICENSE("GPL");
