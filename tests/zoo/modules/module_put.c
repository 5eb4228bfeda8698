// SPDX-License-Identifier: GPL-2.0
/*
 * Drops a reference to itself that it does not have; when it is unloaded, the kernel stops at the count.
 *
 * outcome: oops
 * kind: warning
 */
#include <linux/init.h>
#include <linux/module.h>

static int __init module_put_init(void)
{
	for (int i = 0; i < 3; i++)
		module_put(THIS_MODULE); /* BUG HERE */
	return 0;
}
module_init(module_put_init);

static void __exit module_put_exit(void)
{
}
module_exit(module_put_exit);

MODULE_DESCRIPTION("Drops a reference to itself that it does not have; when it is unloaded, the kernel stops at the count");
MODULE_LICENSE("GPL");
