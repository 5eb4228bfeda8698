/* SPDX-License-Identifier: MIT */
/* Pid 1: sets the guest up, then answers. */
#include "agent.h"

ARCH_START(agent_main);

/* The compiler may call these whatever the flags say. */
void *memcpy(void *to, const void *from, unsigned long size)
{
	copy_bytes(to, from, size);
	return to;
}

void *memset(void *to, int value, unsigned long size)
{
	volatile u8 *at = to;

	while (size--)
		*at++ = (u8)value;
	return to;
}

/* log_buf_len=2M (machine.py), a descriptor for each 32 bytes: kernel/printk/printk.c, PRB_AVGBITS */
#define MOST_RECORDS 65536

static long kmsg, urandom; /* held open: opening costs a clone a millisecond each time */

void complain(const char *text)
{
	sys3(SYS_write, kmsg, text, length(text));
}

void write_file(const char *path, const char *text)
{
	long fd = sys2(SYS_open, path, O_WRONLY);

	if (fd < 0)
		return;
	sys3(SYS_write, fd, text, length(text));
	sys1(SYS_close, fd);
}

static void mount(const char *what, const char *where)
{
	sys2(SYS_mkdir, where, 0755);
	sys6(SYS_mount, (long)what, (long)where, (long)what, 0, 0, 0);
}

/* /modules/00, /modules/01 ...: what the guest itself needs, in order. */
static void load_own(void)
{
	char path[] = "/modules/00";

	for (int i = 0; i < 100; i++) {
		long fd, result;

		path[9] = (char)('0' + i / 10);
		path[10] = (char)('0' + i % 10);
		fd = sys2(SYS_open, path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		result = sys3(SYS_finit_module, fd, "", 0);
		if (result < 0 && result != -E_EXIST)
			complain("lkm: a module of the guest itself was refused");
		sys1(SYS_close, fd);
	}
}

static void set_up(void)
{
	mount("devtmpfs", "/dev");
	kmsg = sys2(SYS_open, "/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	urandom = sys2(SYS_open, "/dev/urandom", O_RDWR | O_CLOEXEC);
	mount("proc", "/proc");
	mount("sysfs", "/sys");
	mount("devpts", "/dev/pts");
	mount("tmpfs", "/tmp");
	mount("tmpfs", "/run");
	mount("debugfs", "/sys/kernel/debug");
	/* Two timers that would go off soon after a clone begins, for work that it never needs. */
	write_file("/proc/sys/vm/compaction_proactiveness", "0");
	write_file("/proc/sys/vm/stat_interval", "60");
	sys2(SYS_mkdir, "/root", 0700);
	/* A guest that runs out of memory still answers; command.c gives its commands back what is usual. */
	write_file("/proc/self/oom_score_adj", "-1000");
	sys2(SYS_sethostname, "guest", 5);
	load_own();
}

/*
 * /dev/kmsg gives one record a read; each becomes one frame.  Not more at a time than the kernel's buffer
 * can hold: what was said before is among them, and a flood that never ends does not keep us here.
 */
int log_drain(void)
{
	int any = 0;

	for (int i = 0; i < MOST_RECORDS; i++) {
		u8 *room = say_begin(8192);
		long got;

		if (!room)
			return any;
		got = sys3(SYS_read, kmsg, room, 8192);
		if (got == -E_PIPE) /* overwritten before it was read; the sequence numbers tell how much */
			continue;
		if (got <= 0)
			return any;
		say_end(SAY_LOG, (u32)got);
		any = 1;
	}
	return any;
}

/* A clone has the template's clock and random numbers: both are set from what the host gives. */
static void wake_up(void)
{
	struct {
		i32 bits, size;
		u8 data[64];
	} entropy;
	u32 size;
	u8 *seed = channel_seed(&size);

	sys2(SYS_clock_settime, 0 /* CLOCK_REALTIME */, channel_time());
	if (size > sizeof(entropy.data))
		return;
	entropy.bits = (i32)size * 8;
	entropy.size = (i32)size;
	copy_bytes(entropy.data, seed, size);
	sys3(SYS_ioctl, urandom, 0x40085203 /* RNDADDENTROPY */, &entropy);
	sys3(SYS_ioctl, urandom, 0x5207 /* RNDRESEEDCRNG */, 0);
}

static int answer(struct frame *request)
{
	const u8 *body = request->body;
	u32 size = request->size;

	switch (request->type) {
	case ASK_PING:
		log_drain();
		say_done(0, 0);
		break;
	case ASK_LOAD:
		load_image(body, size);
		break;
	case ASK_LOAD_FILE:
		load_file(body, size);
		break;
	case ASK_UNLOAD:
		unload(body, size);
		break;
	case ASK_RUN:
		command_start(body, size);
		break;
	case ASK_INPUT:
		return command_input(body, size);
	case ASK_WINDOW:
		command_window(body, size);
		break;
	case ASK_PUT:
		put_file(body, size);
		break;
	case ASK_GET:
		get_file(body, size);
		break;
	case ASK_LIST:
		list_directory(body, size);
		break;
	case ASK_PARAMETERS:
		list_parameters(body, size);
		break;
	default:
		say_done(-38 /* ENOSYS */, 0);
	}
	return 1;
}

/* Often while something happens, rarely when nothing has for long: an idle guest costs next to nothing. */
static i64 pause_after(u32 idle)
{
	if (idle < 50)
		return 200000;
	return idle < 500 ? 1000000 : 4000000;
}

/*
 * Right after READY the guest is saved.  Spinning there in user mode, and not sleeping, spares each clone
 * a timer's interrupt and the scheduler before it looks at what it is asked.
 */
static void wait_for_save(u32 generation)
{
	for (u32 turn = 0; turn < 2000000000U && channel_generation() == generation && !channel_next(); turn++)
		;
}

/*
 * The next question mostly comes within a millisecond of an answer: looking for it in user mode costs less
 * than sleeping, whose path through the kernel QEMU would have to translate.
 */
static int spin(void)
{
	for (u32 turn = 0; turn < 100000; turn++)
		if (channel_next())
			return 1;
	return 0;
}

/* `generation` is that of the process that boots: it was read before READY, so before any save. */
static void serve(u32 generation)
{
	u32 idle = 0;

	wait_for_save(generation);
	for (;;) {
		struct frame *request;
		int happened = 0;

		if (channel_generation() != generation) {
			generation = channel_generation();
			wake_up();
			say(SAY_READY, "", 0);
			ring();
		}
		request = channel_next();
		if (request && answer(request)) {
			channel_taken(request);
			happened = 1;
		}
		if (log_drain()) {
			ring();
			happened = 1;
		}
		happened |= command_serve();
		if (happened) {
			idle = 0;
			continue;
		}
		if (idle == 0 && !command_runs() && spin())
			continue;
		if (command_runs())
			command_rest(pause_after(idle));
		else
			rest(pause_after(idle));
		idle++;
	}
}

/*
 * A second after it booted a kernel changes its clock for a better one (tsc_refine_calibration_work), and
 * says so.  A guest is saved after that, not in the middle.  One that is not saved was told to keep its first
 * clock (initcall_blacklist), which it can where it knows its symbols.
 */
static void settle(const char *clock)
{
	static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
	u64 until = now() + 1500000000UL;
	char name[8];

	if (clock && sys2(SYS_access, "/proc/kallsyms", 0) == 0)
		return;

	while (now() < until) {
		long fd = sys2(SYS_open, path, O_RDONLY | O_CLOEXEC), got;

		if (fd < 0)
			return;
		got = sys3(SYS_read, fd, name, sizeof(name));
		sys1(SYS_close, fd);
		/* "tsc-early", "refined-jiffies", "jiffies" are what it starts with */
		if (got >= 4 && name[3] != '-' && name[0] != 'r' && name[0] != 'j')
			return;
		rest(10000000);
	}
}

/* Every path a run takes is taken once before the guest is saved, so that its memory is there. */
static void exercise(void)
{
	extern u8 __executable_start[], __bss_start[], end[];

	for (volatile u8 *page = __executable_start; page < end; page += 4096) {
		u8 byte = *page;

		if (page + 4096 > __bss_start)
			*page = byte; /* nobody else writes here yet */
	}
	wake_up();
	for (int i = 0; i < 2; i++) {
		do_job(SYS_init_module, (long)"none", 4, (long)"");
		do_job(SYS_delete_module, (long)"none", O_NONBLOCK, 0);
	}
	log_drain();
}

/* A word of the kernel's command line that it does not know itself is in our environment; what follows it. */
static const char *word(long *stack, const char *name)
{
	char **environment = (char **)(stack + 1 + stack[0] + 1);

	for (; *environment; environment++) {
		u32 n = 0;

		while (name[n] && (*environment)[n] == name[n])
			n++;
		if (!name[n])
			return *environment + n;
	}
	return 0;
}

static u64 window_address(long *stack)
{
	const char *at = word(stack, "lkm_window=0x");
	u64 address = 0;

	for (; at && *at; at++)
		address = address * 16 + (u64)(*at <= '9' ? *at - '0' : (*at | 32) - 'a' + 10);
	return address;
}

/* `lockdown=` comes to us under another name: on from the beginning it would keep us from window and bell. */
static void lock_down(const char *mode)
{
	if (!mode)
		return;
	mount("securityfs", "/sys/kernel/security");
	write_file("/sys/kernel/security/lockdown", mode);
}

__attribute__((used)) void agent_main(long *stack)
{
	u32 generation;

	set_up();
	if (channel_open(window_address(stack)) < 0) {
		complain("lkm: no channel to the host (CONFIG_DEVMEM is needed)");
		sys4(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc /* LINUX_REBOOT_CMD_POWER_OFF */, 0);
	}
	worker_start();
	lock_down(word(stack, "lkm_lockdown="));
	exercise();
	settle(word(stack, "lkm_clock="));
	/* Only the boot goes without self-tests of ciphers, not what is loaded later. */
	write_file("/sys/module/cryptomgr/parameters/notests", "N");
	write_file("/proc/sys/kernel/printk", "8 4 1 8");
	rest(40000000); /* what the boot left to be done later is done before the guest is saved */
	sys3(SYS_lseek, kmsg, 0, 2 /* SEEK_END */);
	generation = channel_generation();
	say(SAY_READY, "", 0);
	ring();
	serve(generation);
}
