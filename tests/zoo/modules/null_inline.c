// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a NULL pointer in a function that was inlined into another one.
 *
 * outcome: oops
 * kind: null-pointer
 */
#include <linux/init.h>
#include <linux/module.h>

struct item {
	long weight;
	struct item *next;
};

static __always_inline void set_weight(struct item *item, long weight)
{
	WRITE_ONCE(item->next->weight, weight); /* BUG HERE */
}

static noinline __used void weigh(struct item *item)
{
	set_weight(item, 3);
	pr_info("null_inline: weighed\n");
}

static int __init null_inline_init(void)
{
	struct item last = { .weight = 1 };

	OPTIMIZER_HIDE_VAR(last.next);
	weigh(&last);
	return 0;
}
module_init(null_inline_init);

static void __exit null_inline_exit(void)
{
}
module_exit(null_inline_exit);

MODULE_DESCRIPTION("Follows a NULL pointer in a function that was inlined into another one");
MODULE_LICENSE("GPL");
