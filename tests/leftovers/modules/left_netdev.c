// SPDX-License-Identifier: GPL-2.0
/* Forgets a network device. */
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/etherdevice.h>

static struct net_device *left_device;
static netdev_tx_t left_send(struct sk_buff *skb, struct net_device *device)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}
static const struct net_device_ops left_ops = { .ndo_start_xmit = left_send };

static int __init left_netdev_init(void)
{
	left_device = alloc_etherdev(0);
	if (!left_device)
		return -ENOMEM;
	left_device->netdev_ops = &left_ops;
	strscpy(left_device->name, "left0", IFNAMSIZ);
	return register_netdev(left_device);
}
module_init(left_netdev_init);

static void __exit left_netdev_exit(void)
{
	pr_info("left_netdev: bye\n");
}
module_exit(left_netdev_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forgets a network device.");
