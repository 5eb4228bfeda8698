// SPDX-License-Identifier: GPL-2.0
/*
 * Writes through a NULL pointer, in a function that init calls.
 *
 * outcome: oops
 * kind: null-pointer
 */
#include <linux/init.h>
#include <linux/module.h>

static noinline void set_counter(int *counter)
{
	*counter = 1; /* BUG HERE */
}

static int __init null_write_init(void)
{
	int *counter = NULL;

	OPTIMIZER_HIDE_VAR(counter);
	set_counter(counter);
	return 0;
}
module_init(null_write_init);

static void __exit null_write_exit(void)
{
}
module_exit(null_write_exit);

MODULE_DESCRIPTION("Writes through a NULL pointer, in a function that init calls");
MODULE_LICENSE("GPL");
