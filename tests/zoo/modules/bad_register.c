// SPDX-License-Identifier: GPL-2.0
/*
 * Loads a selector that is not there into a register: a general protection fault without an address.
 *
 * outcome: oops
 * kind: general-protection
 */
#include <linux/init.h>
#include <linux/module.h>

static int __init bad_register_init(void)
{
	asm volatile("ltr %w0" : : "r"(0xfff8)); /* BUG HERE */
	return 0;
}
module_init(bad_register_init);

static void __exit bad_register_exit(void)
{
}
module_exit(bad_register_exit);

MODULE_DESCRIPTION("Loads a selector that is not there into a register: a general protection fault without an address");
MODULE_LICENSE("GPL");
