// SPDX-License-Identifier: GPL-2.0
/*
 * Reads a pointer of RCU's without being a reader.
 *
 * outcome: ok
 * kind: lock-misuse
 * needs: CONFIG_PROVE_RCU=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

static int value = 3;
static int __rcu *pointer;

static int __init rcu_unprotected_init(void)
{
	rcu_assign_pointer(pointer, &value);
	pr_info("rcu_unprotected: %d\n", *rcu_dereference(pointer)); /* BUG HERE */
	return 0;
}
module_init(rcu_unprotected_init);

static void __exit rcu_unprotected_exit(void)
{
}
module_exit(rcu_unprotected_exit);

MODULE_DESCRIPTION("Reads a pointer of RCU's without being a reader");
MODULE_LICENSE("GPL");
