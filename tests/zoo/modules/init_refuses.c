// SPDX-License-Identifier: GPL-2.0
/*
 * Finds no hardware: the ordinary way to fail.
 *
 * outcome: load-failed
 * kind: none
 */
#include <linux/init.h>
#include <linux/module.h>

static int __init init_refuses_init(void)
{
	pr_err("init_refuses: nobody there\n");
	return -ENODEV;
}
module_init(init_refuses_init);

static void __exit init_refuses_exit(void)
{
}
module_exit(init_refuses_exit);

MODULE_DESCRIPTION("Finds no hardware: the ordinary way to fail");
MODULE_LICENSE("GPL");
