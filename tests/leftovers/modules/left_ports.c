// SPDX-License-Identifier: GPL-2.0
/* Forgets I/O ports. */
#include <linux/module.h>
#include <linux/ioport.h>



static int __init left_ports_init(void)
{
	return request_region(0x2f0, 8, "left_ports") ? 0 : -EBUSY;
}
module_init(left_ports_init);

static void __exit left_ports_exit(void)
{
	pr_info("left_ports: bye\n");
}
module_exit(left_ports_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets I/O ports.");
