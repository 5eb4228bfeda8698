// SPDX-License-Identifier: GPL-2.0
/* Does not ask whether it got what it asked for: lkm run examples/crash shows the line. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/printk.h>

struct month {
	int number;
	const char *name;
	int days;
};

static const struct month months[] = {
	{ 1, "January", 31 },
	{ 2, "February", 28 },
};

static noinline const struct month *find_month(int number)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(months); i++)
		if (months[i].number == number)
			return &months[i];
	return NULL;
}

static int number = 13;
module_param(number, int, 0);
MODULE_PARM_DESC(number, "number of the month");

static int __init crash_init(void)
{
	const struct month *month = find_month(number);

	pr_info("%s has %d days\n", month->name, month->days);
	return 0;
}
module_init(crash_init);

static void __exit crash_exit(void)
{
}
module_exit(crash_exit);

MODULE_DESCRIPTION("Follows a NULL pointer");
MODULE_AUTHOR("The lkm project");
MODULE_LICENSE("GPL");
