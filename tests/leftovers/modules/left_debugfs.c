// SPDX-License-Identifier: GPL-2.0
/* Forgets a file in debugfs. */
#include <linux/module.h>
#include <linux/debugfs.h>

static u32 left_number = 7;

static int __init left_debugfs_init(void)
{
	debugfs_create_u32("left_debugfs", 0444, NULL, &left_number);
	return 0;
}
module_init(left_debugfs_init);

static void __exit left_debugfs_exit(void)
{
	pr_info("left_debugfs: bye %u\n", left_number);
}
module_exit(left_debugfs_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a file in debugfs.");
