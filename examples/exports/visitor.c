// SPDX-License-Identifier: GPL-2.0
/* Uses greeter's symbol, and so depends on it: the kernel refuses to load this one alone. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

#include "greeter.h"

static int __init visitor_init(void)
{
	pr_info("visitor: greeting number %d\n", greeter_greet("visitor"));
	return 0;
}
module_init(visitor_init);

static void __exit visitor_exit(void)
{
}
module_exit(visitor_exit);

MODULE_DESCRIPTION("Is greeted by another module");
MODULE_AUTHOR("The lkm project");
MODULE_LICENSE("GPL");
