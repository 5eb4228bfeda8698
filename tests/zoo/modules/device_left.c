// SPDX-License-Identifier: GPL-2.0
/*
 * Leaves its device number when it is unloaded, and then the device is opened.
 *
 * outcome: oops
 * kind: page-fault
 * exec: rmmod device_left; mknod /tmp/left c 240 0; cat /tmp/left
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/fs.h>

static const struct file_operations ops = {
	.owner = THIS_MODULE,
};

static int __init device_left_init(void)
{
	return register_chrdev(240, "device_left", &ops);
}
module_init(device_left_init);

static void __exit device_left_exit(void)
{
}
module_exit(device_left_exit);

MODULE_DESCRIPTION("Leaves its device number when it is unloaded, and then the device is opened");
MODULE_LICENSE("GPL");
