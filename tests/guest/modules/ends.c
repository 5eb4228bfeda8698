// SPDX-License-Identifier: GPL-2.0
/* Ends its machine: how= says in which way */
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/timer.h>
#include <asm/desc.h>

static char *how = "restart";
module_param(how, charp, 0);
static int nowhere;

static void ends_timer(struct timer_list *timer)
{
	if (!strcmp(how, "panic-in-timer"))
		panic("said the timer");
	if (!strcmp(how, "oops-in-timer"))
		WRITE_ONCE(*(int *)(long)nowhere, 1);
}
static DEFINE_TIMER(timer, ends_timer);

static int __init ends_init(void)
{
	pr_info("ends: begins\n");
	if (!strcmp(how, "restart"))
		kernel_restart(NULL);
	if (!strcmp(how, "emergency"))
		emergency_restart();
	if (!strcmp(how, "keyboard"))
		outb(0xfe, 0x64);
	if (!strcmp(how, "off"))
		kernel_power_off();
	if (!strcmp(how, "orderly"))
		orderly_poweroff(true);
	if (!strcmp(how, "halt"))
		kernel_halt();
	if (!strcmp(how, "triple")) {
		load_idt((&(struct desc_ptr){ 0, 0 })); /* a macro without PARAVIRT_XXL */
		asm volatile("int3");
	}
	if (!strcmp(how, "panic"))
		panic("said the module");
	if (!strcmp(how, "oops"))
		WRITE_ONCE(*(int *)(long)nowhere, 1);
	if (strstr(how, "-in-timer"))
		mod_timer(&timer, jiffies + 2);
	return 0;
}
module_init(ends_init);

static void __exit ends_exit(void)
{
	timer_delete_sync(&timer);
}
module_exit(ends_exit);

MODULE_DESCRIPTION("Ends its machine");
MODULE_LICENSE("GPL");
