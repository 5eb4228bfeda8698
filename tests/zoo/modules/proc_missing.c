// SPDX-License-Identifier: GPL-2.0
/*
 * Removes an entry of /proc that is not there.
 *
 * outcome: ok
 * kind: warning
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/proc_fs.h>

static int __init proc_missing_init(void)
{
	remove_proc_entry("zoo_missing", NULL); /* BUG HERE */
	return 0;
}
module_init(proc_missing_init);

static void __exit proc_missing_exit(void)
{
}
module_exit(proc_missing_exit);

MODULE_DESCRIPTION("Removes an entry of /proc that is not there");
MODULE_LICENSE("GPL");
