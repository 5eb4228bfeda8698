// SPDX-License-Identifier: GPL-2.0
/*
 * Is to be unloaded while a program has its device open.
 *
 * outcome: unload-failed
 * kind: none
 * exec: sleep 100 < /dev/zoo_open &
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>

static const struct file_operations ops = {
	.owner = THIS_MODULE,
};
static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "zoo_open",
	.fops = &ops,
};

static int __init device_open_init(void)
{
	return misc_register(&device);
}
module_init(device_open_init);

static void __exit device_open_exit(void)
{
	misc_deregister(&device);
}
module_exit(device_open_exit);

MODULE_DESCRIPTION("Is to be unloaded while a program has its device open");
MODULE_LICENSE("GPL");
