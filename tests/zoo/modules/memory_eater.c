// SPDX-License-Identifier: GPL-2.0
/*
 * Takes memory until there is none.
 *
 * outcome: panic
 * kind: out-of-memory
 * ending: out-of-memory
 * memory: 128
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/gfp.h>
#include <linux/sched.h>

static int __init memory_eater_init(void)
{
	while (alloc_pages(GFP_KERNEL | __GFP_NOFAIL, 0)) /* BUG HERE */
		cond_resched();
	return 0;
}
module_init(memory_eater_init);

static void __exit memory_eater_exit(void)
{
}
module_exit(memory_eater_exit);

MODULE_DESCRIPTION("Takes memory until there is none");
MODULE_LICENSE("GPL");
