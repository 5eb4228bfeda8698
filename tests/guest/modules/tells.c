// SPDX-License-Identifier: GPL-2.0
/* Parameters of each kind */
#include <linux/init.h>
#include <linux/module.h>

static bool flag;
module_param(flag, bool, 0644);
static char *text = "";
module_param(text, charp, 0644);
static int list[4];
static int count;
module_param_array(list, int, &count, 0644);
static int secret;
module_param(secret, int, 0);

static int __init tells_init(void)
{
	pr_info("tells: begins\n");
	pr_info("tells: %d <%s> %d: %d %d\n", flag, text, count, list[0], list[1]);
	return 0;
}
module_init(tells_init);

static void __exit tells_exit(void)
{
	pr_info("tells: ends\n");
}
module_exit(tells_exit);

MODULE_DESCRIPTION("Parameters of each kind");
MODULE_LICENSE("GPL");
