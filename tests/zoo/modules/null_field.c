// SPDX-License-Identifier: GPL-2.0
/*
 * Follows a NULL pointer to a structure: the address is the field's offset.
 *
 * outcome: oops
 * kind: null-pointer
 */
#include <linux/init.h>
#include <linux/module.h>

struct device_state {
	char label[24];
	const char *name;
};

static noinline __used char first_letter(const struct device_state *dev)
{
	return dev->name[0]; /* BUG HERE */
}

static int __init null_field_init(void)
{
	struct device_state *dev = NULL;

	OPTIMIZER_HIDE_VAR(dev);
	pr_info("null_field: %c\n", first_letter(dev));
	return 0;
}
module_init(null_field_init);

static void __exit null_field_exit(void)
{
}
module_exit(null_field_exit);

MODULE_DESCRIPTION("Follows a NULL pointer to a structure: the address is the field's offset");
MODULE_LICENSE("GPL");
