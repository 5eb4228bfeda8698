// SPDX-License-Identifier: GPL-2.0
/* Takes the interrupt table away and interrupts: a triple fault */
#include <linux/init.h>
#include <linux/module.h>
#include <asm/desc.h>

static int __init trips_init(void)
{
	pr_info("trips: begins\n");
	load_idt(&(struct desc_ptr){ 0, 0 });
	asm volatile("int3");
	return 0;
}
module_init(trips_init);

static void __exit trips_exit(void)
{
	pr_info("trips: ends\n");
}
module_exit(trips_exit);

MODULE_DESCRIPTION("Takes the interrupt table away and interrupts: a triple fault");
MODULE_LICENSE("GPL");
