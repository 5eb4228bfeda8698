// SPDX-License-Identifier: GPL-2.0
/* Gives its number back and forgets the device. */
#include <linux/module.h>
#include <linux/fs.h>
#include <linux/cdev.h>

static const struct file_operations left_ops = { .owner = THIS_MODULE };
static struct cdev left_cdev;
static dev_t left_first;

static int __init left_cdev_init(void)
{
	int status = alloc_chrdev_region(&left_first, 0, 1, "left_cdev");

	if (status)
		return status;
	cdev_init(&left_cdev, &left_ops);
	return cdev_add(&left_cdev, left_first, 1);
}
module_init(left_cdev_init);

static void __exit left_cdev_exit(void)
{
	unregister_chrdev_region(left_first, 1);
}
module_exit(left_cdev_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Gives its number back and forgets the device.");
