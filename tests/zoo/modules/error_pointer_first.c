// SPDX-License-Identifier: GPL-2.0
/*
 * Uses an error number as a pointer to a structure's first field: the address is just below the end of all.
 *
 * outcome: oops
 * kind: page-fault
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/err.h>

struct client {
	int id;
	int flags;
};

static noinline __used int id_of(const struct client *client)
{
	return client->id; /* BUG HERE */
}

static int __init error_pointer_first_init(void)
{
	struct client *client = ERR_PTR(-ENOMEM);

	OPTIMIZER_HIDE_VAR(client);
	pr_info("error_pointer_first: %d\n", id_of(client));
	return 0;
}
module_init(error_pointer_first_init);

static void __exit error_pointer_first_exit(void)
{
}
module_exit(error_pointer_first_exit);

MODULE_DESCRIPTION("Uses an error number as a pointer to a structure's first field: the address is just below the end of all");
MODULE_LICENSE("GPL");
