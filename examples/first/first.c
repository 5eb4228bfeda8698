// SPDX-License-Identifier: GPL-2.0
/* The smallest module worth having: something to say when it comes and when it goes. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

static int __init first_init(void)
{
	pr_info("first: hello, world\n");
	return 0;
}
module_init(first_init);

static void __exit first_exit(void)
{
	pr_info("first: goodbye\n");
}
module_exit(first_exit);

MODULE_DESCRIPTION("A first module");
MODULE_AUTHOR("The lkm project");
MODULE_LICENSE("GPL");
