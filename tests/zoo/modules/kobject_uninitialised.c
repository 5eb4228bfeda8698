// SPDX-License-Identifier: GPL-2.0
/*
 * Drops a kobject that was never made.
 *
 * outcome: ok
 * kind: object-misuse
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/kobject.h>

static struct kobject object;

static int __init kobject_uninitialised_init(void)
{
	kobject_put(&object); /* BUG HERE */
	return 0;
}
module_init(kobject_uninitialised_init);

static void __exit kobject_uninitialised_exit(void)
{
}
module_exit(kobject_uninitialised_exit);

MODULE_DESCRIPTION("Drops a kobject that was never made");
MODULE_LICENSE("GPL");
