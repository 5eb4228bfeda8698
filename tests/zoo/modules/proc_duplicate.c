// SPDX-License-Identifier: GPL-2.0
/*
 * Makes two entries of one name in /proc.
 *
 * outcome: load-failed
 * kind: sysfs-duplicate
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/proc_fs.h>

static int __init proc_duplicate_init(void)
{
	struct proc_dir_entry *one = proc_mkdir("zoo_duplicate", NULL);
	struct proc_dir_entry *two = proc_mkdir("zoo_duplicate", NULL); /* BUG HERE */

	proc_remove(one);
	if (!two)
		return -EEXIST;
	proc_remove(two);
	return 0;
}
module_init(proc_duplicate_init);

static void __exit proc_duplicate_exit(void)
{
}
module_exit(proc_duplicate_exit);

MODULE_DESCRIPTION("Makes two entries of one name in /proc");
MODULE_LICENSE("GPL");
