// SPDX-License-Identifier: GPL-2.0
/* Forgets a filesystem. */
#include <linux/module.h>
#include <linux/fs.h>

static void left_kill(struct super_block *block)
{
}
static struct file_system_type left_type = { .owner = THIS_MODULE, .name = "left_filesystem", .kill_sb = left_kill };

static int __init left_filesystem_init(void)
{
	return register_filesystem(&left_type);
}
module_init(left_filesystem_init);

static void __exit left_filesystem_exit(void)
{
	pr_info("left_filesystem: bye\n");
}
module_exit(left_filesystem_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a filesystem.");
