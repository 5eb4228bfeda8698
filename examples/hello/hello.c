// SPDX-License-Identifier: GPL-2.0
/* A module with two parameters: lkm run examples/hello month=December day=31 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>

static char *month = "January";
module_param(month, charp, 0660);
MODULE_PARM_DESC(month, "name of the month");

static int day = 1;
module_param(day, int, 0000);
MODULE_PARM_DESC(day, "day of the month");

static int __init hello_init(void)
{
	pr_info("Hello! We are on %d %s\n", day, month);
	return 0;
}
module_init(hello_init);

static void __exit hello_exit(void)
{
	pr_info("Goodbye, cruel world\n");
}
module_exit(hello_exit);

MODULE_DESCRIPTION("Says hello, with the date it is told");
MODULE_AUTHOR("The lkm project");
MODULE_LICENSE("GPL");
