// SPDX-License-Identifier: GPL-2.0
/*
 * Executes what is no instruction.
 *
 * outcome: oops
 * kind: invalid-opcode
 */
#include <linux/init.h>
#include <linux/module.h>

static int __init undefined_instruction_init(void)
{
	asm volatile(".byte 0x0f, 0xff, 0xc0"); /* BUG HERE */
	return 0;
}
module_init(undefined_instruction_init);

static void __exit undefined_instruction_exit(void)
{
}
module_exit(undefined_instruction_exit);

MODULE_DESCRIPTION("Executes what is no instruction");
MODULE_LICENSE("GPL");
