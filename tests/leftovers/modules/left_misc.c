// SPDX-License-Identifier: GPL-2.0
/* Forgets a misc device. */
#include <linux/module.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>

static const struct file_operations left_ops = { .owner = THIS_MODULE };
static struct miscdevice left_device = { .minor = MISC_DYNAMIC_MINOR, .name = "left_misc", .fops = &left_ops };

static int __init left_misc_init(void)
{
	return misc_register(&left_device);
}
module_init(left_misc_init);

static void __exit left_misc_exit(void)
{
	pr_info("left_misc: bye\n");
}
module_exit(left_misc_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a misc device.");
