// SPDX-License-Identifier: GPL-2.0
/* Panics as it is loaded */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/panic.h>

static int __init over_init(void)
{
	panic("over and out");
	return 0;
}
module_init(over_init);

MODULE_DESCRIPTION("Panics as it is loaded");
MODULE_LICENSE("GPL");
