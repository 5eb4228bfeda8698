// SPDX-License-Identifier: GPL-2.0
/* Forgets a sysctl. */
#include <linux/module.h>
#include <linux/sysctl.h>
#include <linux/version.h>

static int left_number = 7;
static struct ctl_table left_table[] = {
	{ .procname = "left_sysctl", .data = &left_number, .maxlen = sizeof(int), .mode = 0644, .proc_handler = proc_dointvec },
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	{ }
#endif
};
static struct ctl_table_header *left_header;

static int __init left_sysctl_init(void)
{
	left_header = register_sysctl("kernel", left_table);
	return left_header ? 0 : -ENOMEM;
}
module_init(left_sysctl_init);

static void __exit left_sysctl_exit(void)
{
	pr_info("left_sysctl: bye\n");
}
module_exit(left_sysctl_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a sysctl.");
