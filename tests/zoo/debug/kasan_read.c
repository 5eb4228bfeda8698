// SPDX-License-Identifier: GPL-2.0
/*
 * Reads freed memory.
 *
 * outcome: oops
 * kind: kasan
 * needs: CONFIG_KASAN=y
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>

struct packet {
	int length;
	char data[60];
};

static struct packet *packet;

static noinline void make(void)
{
	packet = kzalloc(sizeof(*packet), GFP_KERNEL);
}

static noinline void drop(void)
{
	kfree(packet);
}

static int __init kasan_read_init(void)
{
	make();
	drop();
	pr_info("kasan_read: %d\n", READ_ONCE(packet->length)); /* BUG HERE */
	return 0;
}
module_init(kasan_read_init);

static void __exit kasan_read_exit(void)
{
}
module_exit(kasan_read_exit);

MODULE_DESCRIPTION("Reads freed memory");
MODULE_LICENSE("GPL");
