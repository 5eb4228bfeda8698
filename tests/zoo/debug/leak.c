// SPDX-License-Identifier: GPL-2.0
/*
 * Forgets the memory that it has; a scan of kmemleak's finds it.
 *
 * outcome: ok
 * kind: kmemleak
 * needs: CONFIG_DEBUG_KMEMLEAK=y
 * exec: mount -t debugfs none /sys/kernel/debug; echo 1 > /sys/module/kmemleak/parameters/verbose
 * exec: ; cd /sys/kernel/debug; sleep 6; echo scan > kmemleak; echo scan > kmemleak
 * timeout: 240
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

static noinline void forget(int number)
{
	char *text = kmalloc(1000, GFP_KERNEL); /* BUG HERE */

	if (text)
		snprintf(text, 1000, "forgotten %d", number);
}

static int __init leak_init(void)
{
	for (int i = 0; i < 4; i++)
		forget(i);
	return 0;
}
module_init(leak_init);

static void __exit leak_exit(void)
{
}
module_exit(leak_exit);

MODULE_DESCRIPTION("Forgets the memory that it has; a scan of kmemleak's finds it");
MODULE_LICENSE("GPL");
