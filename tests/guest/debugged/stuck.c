// SPDX-License-Identifier: GPL-2.0
/* Loops as it is loaded until someone says otherwise */
#include <linux/init.h>
#include <linux/module.h>

static int on = 1;

static int __init stuck_init(void)
{
	pr_info("stuck: begins\n");
	while (READ_ONCE(on))
		barrier();
	return 0;
}
module_init(stuck_init);

static void __exit stuck_exit(void)
{
	pr_info("stuck: ends\n");
}
module_exit(stuck_exit);

MODULE_DESCRIPTION("Loops as it is loaded until someone says otherwise");
MODULE_LICENSE("GPL");
