// SPDX-License-Identifier: GPL-2.0
/*
 * Has a device without the function that releases it.
 *
 * outcome: ok
 * kind: object-misuse
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/device.h>

static struct device device;

static int __init device_no_release_init(void)
{
	dev_set_name(&device, "zoo_device");
	return device_register(&device);
}
module_init(device_no_release_init);

static void __exit device_no_release_exit(void)
{
	device_unregister(&device); /* BUG HERE */
	pr_info("device_no_release: gone\n");
}
module_exit(device_no_release_exit);

MODULE_DESCRIPTION("Has a device without the function that releases it");
MODULE_LICENSE("GPL");
