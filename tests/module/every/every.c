// SPDX-License-Identifier: GPL-2.0
/* A parameter of every type that include/linux/moduleparam.h has. */
#include <linux/init.h>
#include <linux/module.h>

#define MODE 0444

static unsigned char a_byte = 200;
module_param(a_byte, byte, MODE);
static short a_short = -3;
module_param(a_short, short, MODE);
static unsigned short a_ushort = 65535;
module_param(a_ushort, ushort, MODE);
static int an_int = -7;
module_param(an_int, int, MODE);
static unsigned int a_uint;
module_param(a_uint, uint, MODE);
static long a_long = -5000000000L;
module_param(a_long, long, MODE);
static unsigned long a_ulong = 5000000000UL;
module_param(a_ulong, ulong, MODE);
static unsigned long long a_ullong = 1ULL << 63;
module_param(a_ullong, ullong, MODE);
static unsigned int a_hexint = 0xbeef;
module_param(a_hexint, hexint, MODE);
static unsigned int a_zero_hexint;
module_param(a_zero_hexint, hexint, MODE);
static char *a_charp = "some text";
module_param(a_charp, charp, MODE);
static char *a_null_charp;
module_param(a_null_charp, charp, MODE);
static bool a_bool = true;
module_param(a_bool, bool, MODE);
static bool an_invbool = true;
module_param(an_invbool, invbool, MODE);
static int a_bint = 1;
module_param(a_bint, bint, MODE);
static bool an_enable_only;
module_param(an_enable_only, bool_enable_only, MODE);
static bool an_enabled_only = true;
module_param(an_enabled_only, bool_enable_only, MODE);
static char a_string[8] = "seven";
module_param_string(a_string, a_string, sizeof(a_string), MODE);

static int ints[4] = { 1, 2, 3 };
static int ints_given = 2;
module_param_array(ints, int, &ints_given, MODE);
static unsigned char bytes[3] = { 9, 8, 7 };
module_param_array(bytes, byte, NULL, MODE);
static char *texts[3] = { "one", NULL, "three" };
static int texts_given = 3;
module_param_array(texts, charp, &texts_given, MODE);
static bool bools[2];
static int bools_given;
module_param_array(bools, bool, &bools_given, MODE);
static unsigned int hexints[2] = { 255 };
module_param_array(hexints, hexint, NULL, MODE);

static int careful;
module_param_unsafe(careful, int, MODE);
static int hidden = 5;
module_param(hidden, int, 0);

static int even_set(const char *text, const struct kernel_param *parameter)
{
	int value, error = kstrtoint(text, 0, &value);

	if (error)
		return error;
	if (value & 1)
		return -EDOM;
	*(int *)parameter->arg = value;
	return 0;
}

static const struct kernel_param_ops even_ops = { .set = even_set, .get = param_get_int };
static int even = 4;
module_param_cb(even, &even_ops, &even, MODE);

static int __init every_init(void)
{
	return 0;
}
module_init(every_init);

static void __exit every_exit(void)
{
}
module_exit(every_exit);

MODULE_DESCRIPTION("A parameter of every type");
MODULE_LICENSE("GPL");
