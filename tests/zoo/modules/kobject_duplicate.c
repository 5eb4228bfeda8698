// SPDX-License-Identifier: GPL-2.0
/*
 * Makes two directories of one name in /sys.
 *
 * outcome: load-failed
 * kind: sysfs-duplicate
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/kobject.h>

static int __init kobject_duplicate_init(void)
{
	struct kobject *one = kobject_create_and_add("zoo_duplicate", NULL);
	struct kobject *two = kobject_create_and_add("zoo_duplicate", NULL); /* BUG HERE */

	kobject_put(one);
	if (!two)
		return -EEXIST;
	kobject_put(two);
	return 0;
}
module_init(kobject_duplicate_init);

static void __exit kobject_duplicate_exit(void)
{
}
module_exit(kobject_duplicate_exit);

MODULE_DESCRIPTION("Makes two directories of one name in /sys");
MODULE_LICENSE("GPL");
