// SPDX-License-Identifier: GPL-2.0
/* Forgets a directory in /sys/kernel. */
#include <linux/module.h>
#include <linux/kobject.h>

static struct kobject *left_object;

static int __init left_kobject_init(void)
{
	left_object = kobject_create_and_add("left_kobject", kernel_kobj);
	return left_object ? 0 : -ENOMEM;
}
module_init(left_kobject_init);

static void __exit left_kobject_exit(void)
{
	pr_info("left_kobject: bye\n");
}
module_exit(left_kobject_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a directory in /sys/kernel.");
