// SPDX-License-Identifier: GPL-2.0
/* Forgets device numbers. */
#include <linux/module.h>
#include <linux/fs.h>

static dev_t left_first;

static int __init left_number_init(void)
{
	return alloc_chrdev_region(&left_first, 0, 3, "left_number");
}
module_init(left_number_init);

static void __exit left_number_exit(void)
{
	pr_info("left_number: bye\n");
}
module_exit(left_number_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets device numbers.");
