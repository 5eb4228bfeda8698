// SPDX-License-Identifier: GPL-2.0
/*
 * Wants a device number that another one has.
 *
 * outcome: load-failed
 * kind: none
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/fs.h>

static const struct file_operations ops = {
	.owner = THIS_MODULE,
};

static int __init device_clash_init(void)
{
	return register_chrdev(1, "device_clash", &ops);
}
module_init(device_clash_init);

static void __exit device_clash_exit(void)
{
	unregister_chrdev(1, "device_clash");
}
module_exit(device_clash_exit);

MODULE_DESCRIPTION("Wants a device number that another one has");
MODULE_LICENSE("GPL");
