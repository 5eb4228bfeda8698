// SPDX-License-Identifier: GPL-2.0
/*
 * Uses what a function returned as a pointer though it is an error number: -2 and the field's offset.
 *
 * outcome: oops
 * kind: null-pointer
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/err.h>
#include <linux/fs.h>

static noinline __used loff_t position(const struct file *file)
{
	return file->f_pos; /* BUG HERE */
}

static int __init error_pointer_init(void)
{
	struct file *file = filp_open("/there/is/no/such/file", O_RDONLY, 0);

	pr_info("error_pointer: %lld\n", position(file));
	return 0;
}
module_init(error_pointer_init);

static void __exit error_pointer_exit(void)
{
}
module_exit(error_pointer_exit);

MODULE_DESCRIPTION("Uses what a function returned as a pointer though it is an error number: -2 and the field's offset");
MODULE_LICENSE("GPL");
