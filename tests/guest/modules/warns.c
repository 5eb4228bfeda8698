// SPDX-License-Identifier: GPL-2.0
/* Warns, which is no oops */
#include <linux/init.h>
#include <linux/module.h>

static int __init warns_init(void)
{
	pr_info("warns: begins\n");
	WARN(1, "only a warning");
	return 0;
}
module_init(warns_init);

static void __exit warns_exit(void)
{
	pr_info("warns: ends\n");
}
module_exit(warns_exit);

MODULE_DESCRIPTION("Warns, which is no oops");
MODULE_LICENSE("GPL");
