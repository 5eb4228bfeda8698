// SPDX-License-Identifier: GPL-2.0
/* Forgets its entry in /proc. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

static int show(struct seq_file *file, void *data)
{
	seq_puts(file, "here\n");
	return 0;
}

static int __init left_proc_init(void)
{
	return proc_create_single("left_proc", 0444, NULL, show) ? 0 : -ENOMEM;
}
module_init(left_proc_init);

static void __exit left_proc_exit(void)
{
	pr_info("left_proc: bye\n");
}
module_exit(left_proc_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets its entry in /proc.");
