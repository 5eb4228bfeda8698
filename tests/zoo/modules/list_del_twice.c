// SPDX-License-Identifier: GPL-2.0
/*
 * Takes an entry out of a list twice.
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

static int __init list_del_twice_init(void)
{
	list_add(&job.entry, &jobs);
	list_del(&job.entry);
	list_del(&job.entry); /* BUG HERE */
	return 0;
}
module_init(list_del_twice_init);

static void __exit list_del_twice_exit(void)
{
}
module_exit(list_del_twice_exit);

MODULE_DESCRIPTION("Takes an entry out of a list twice");
MODULE_LICENSE("GPL");
