// SPDX-License-Identifier: GPL-2.0
/*
 * Copies a text into a buffer that is too small for it.
 *
 * outcome: oops
 * kind: buffer-overflow
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/string.h>

struct name {
	char text[8];
};
static struct name name;
static const char *given = "a name that is much longer";

static int __init fortify_init(void)
{
	size_t size = strlen(given);

	OPTIMIZER_HIDE_VAR(size);
	memcpy(name.text, given, size); /* BUG HERE */
	pr_info("fortify: %s\n", name.text);
	return 0;
}
module_init(fortify_init);

static void __exit fortify_exit(void)
{
}
module_exit(fortify_exit);

MODULE_DESCRIPTION("Copies a text into a buffer that is too small for it");
MODULE_LICENSE("GPL");
