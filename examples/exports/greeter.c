// SPDX-License-Identifier: GPL-2.0
/* Exports a symbol for other modules to use; load it first. */
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

#include "greeter.h"

static atomic_t greetings = ATOMIC_INIT(0);

int greeter_greet(const char *whom)
{
	pr_info("greeter: hello, %s\n", whom);
	return atomic_inc_return(&greetings);
}
EXPORT_SYMBOL_GPL(greeter_greet);

static int __init greeter_init(void)
{
	return 0;
}
module_init(greeter_init);

static void __exit greeter_exit(void)
{
	pr_info("greeter: greeted %d times\n", atomic_read(&greetings));
}
module_exit(greeter_exit);

MODULE_DESCRIPTION("Greets on behalf of other modules");
MODULE_AUTHOR("The lkm project");
MODULE_LICENSE("GPL");
