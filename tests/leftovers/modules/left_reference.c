// SPDX-License-Identifier: GPL-2.0
/* Takes a reference to itself and does not give it back. */
#include <linux/module.h>
#include <linux/kernel.h>



static int __init left_reference_init(void)
{
	return try_module_get(THIS_MODULE) ? 0 : -ENODEV;
}
module_init(left_reference_init);

static void __exit left_reference_exit(void)
{
	pr_info("left_reference: bye\n");
}
module_exit(left_reference_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Takes a reference to itself and does not give it back.");
