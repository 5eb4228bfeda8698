// SPDX-License-Identifier: GPL-2.0
/*
 * Waits for what never comes.
 *
 * outcome: hang
 * kind: stack-trace
 * ending: asleep init
 * timeout: 3
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/completion.h>

static DECLARE_COMPLETION(answer);

static int __init completion_never_init(void)
{
	wait_for_completion(&answer); /* BUG HERE */
	return 0;
}
module_init(completion_never_init);

static void __exit completion_never_exit(void)
{
}
module_exit(completion_never_exit);

MODULE_DESCRIPTION("Waits for what never comes");
MODULE_LICENSE("GPL");
