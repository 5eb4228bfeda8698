// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps a reference to itself for ever.
 *
 * outcome: unload-failed
 * kind: none
 */
#include <linux/init.h>
#include <linux/module.h>

static int __init module_got_init(void)
{
	return try_module_get(THIS_MODULE) ? 0 : -ENODEV;
}
module_init(module_got_init);

static void __exit module_got_exit(void)
{
}
module_exit(module_got_exit);

MODULE_DESCRIPTION("Keeps a reference to itself for ever");
MODULE_LICENSE("GPL");
