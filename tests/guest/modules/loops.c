// SPDX-License-Identifier: GPL-2.0
/* Loops for ever as it is loaded */
#include <linux/init.h>
#include <linux/module.h>

static int on = 1;

static int __init loops_init(void)
{
	pr_info("loops: begins\n");
	while (READ_ONCE(on))
		barrier();
	return 0;
}
module_init(loops_init);

static void __exit loops_exit(void)
{
	pr_info("loops: ends\n");
}
module_exit(loops_exit);

MODULE_DESCRIPTION("Loops for ever as it is loaded");
MODULE_LICENSE("GPL");
