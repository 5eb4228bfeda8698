// SPDX-License-Identifier: GPL-2.0
/*
 * Fails after it has registered an entry of /proc, and leaves that behind.
 *
 * outcome: load-failed
 * kind: none
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static int show(struct seq_file *file, void *unused)
{
	seq_puts(file, "hello\n");
	return 0;
}

static int __init init_registers_init(void)
{
	proc_create_single("zoo_registered", 0444, NULL, show);
	return -ENODEV;
}
module_init(init_registers_init);

static void __exit init_registers_exit(void)
{
}
module_exit(init_registers_exit);

MODULE_DESCRIPTION("Fails after it has registered an entry of /proc, and leaves that behind");
MODULE_LICENSE("GPL");
