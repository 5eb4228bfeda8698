// SPDX-License-Identifier: GPL-2.0
/* Forgets a class of devices. */
#include <linux/module.h>
#include <linux/device.h>
#include <linux/version.h>
#include <linux/err.h>

static struct class *left_class;

static int __init left_class_init(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	left_class = class_create("left_class");
#else
	left_class = class_create(THIS_MODULE, "left_class");
#endif
	return PTR_ERR_OR_ZERO(left_class);
}
module_init(left_class_init);

static void __exit left_class_exit(void)
{
	pr_info("left_class: bye\n");
}
module_exit(left_class_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a class of devices.");
