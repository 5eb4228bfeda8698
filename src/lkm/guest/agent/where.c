/* SPDX-License-Identifier: MIT */
/*
 * Where a question waits that has no answer: each process that runs or cannot be woken, with its stack in
 * the kernel, and each processor.  As log records, so that it stands in the log, and to the host, which
 * judges by it.
 */
#include "agent.h"

#define MOST 16 /* processes that are told of */
#define LINE 256

static char text[8192];

static u32 put_text(char *to, const char *from)
{
	u32 n = length(from);

	copy_bytes(to, from, n + 1);
	return n;
}

static u32 put_number(char *to, long number)
{
	char digits[20];
	u32 n = 0, count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count)
		to[n++] = digits[--count];
	to[n] = 0;
	return n;
}

static long read_of(long pid, const char *name, char *to, u32 room)
{
	char path[48];
	u32 n = put_text(path, "/proc/");
	long fd, got;

	n += put_number(path + n, pid);
	put_text(path + n, name);
	fd = sys2(SYS_open, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = sys3(SYS_read, fd, to, room - 1);
	sys1(SYS_close, fd);
	to[got > 0 ? got : 0] = 0;
	return got > 0 ? got : 0;
}

static void log_lines(char *at)
{
	for (char *line = at; *at; at++) {
		if (*at != '\n')
			continue;
		*at = 0;
		complain(line);
		*at = '\n';
		line = at + 1;
	}
}

/* In /proc/PID/stat: "78 (init) D ...", and the name may hold anything. */
static char state_of(const char *stat)
{
	const char *end = 0;

	for (; *stat; stat++)
		if (*stat == ')')
			end = stat;
	return end && end[1] && end[2] ? end[2] : '?';
}

static long sysrq, waiting;
static int blocked;

/* " hello_init+0x15/0x40 [hello]" */
static int has_module(const char *at)
{
	for (; *at; at++)
		if (at[0] == ']' && at[1] == '\n')
			return 1;
	return 0;
}

/* "[<0>] msleep+0x29/0x40" becomes " msleep+0x29/0x40", as in a trace that the kernel prints */
static u32 put_stack(char *to, long pid)
{
	static char stack[4096];
	const char *at = stack;
	char *begin = to;

	read_of(pid, "/stack", stack, sizeof(stack));
	while (*at) {
		if (at[0] == '[' && at[1] == '<')
			while (*at && *at != ' ')
				at++;
		while (*at && (*to++ = *at++) != '\n')
			;
	}
	return (u32)(to - begin);
}

/* The shape is that of the kernel's own (sched_show_task), so that it is read like them. */
static void say_process(long pid, const char *stat)
{
	char state = state_of(stat);
	u32 n = put_text(text, "lkm: no answer; by /proc/PID/stack:\ntask:");

	for (const char *at = stat; *at && *at != '('; at++)
		stat = at + 2;
	while (*stat && !(stat[0] == ')' && stat[1] == ' ' && stat[2] == state))
		text[n++] = *stat++;
	n += put_text(text + n, " state:");
	text[n++] = state;
	n += put_text(text + n, " pid:");
	n += put_number(text + n, pid);
	n += put_text(text + n, "\nCall Trace:\n <TASK>\n");
	n += put_stack(text + n, pid);
	put_text(text + n, " </TASK>\n");
	if (pid != waiting && !has_module(text))
		; /* the kernel's own: of no interest to a person */
	else if (state == 'D' && sysrq >= 0)
		blocked = 1; /* the kernel says it better: with the locks' own functions, which are left out there */
	else
		log_lines(text);
	log_drain();
	say(SAY_STACK, text, length(text));
}

static int told, running;

static void look_at(const char *directory, const char *name)
{
	char stat[LINE];
	long pid = 0;
	char state;

	(void)directory;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return;
		pid = pid * 10 + (*name - '0');
	}
	if (pid == 1 || pid == waiting || told >= MOST || !read_of(pid, "/stat", stat, sizeof(stat)))
		return;
	state = state_of(stat);
	running |= state == 'R';
	if (state != 'R' && state != 'D')
		return;
	told++;
	say_process(pid, stat);
}

void say_where(long pid, int processors)
{
	char stat[LINE];

	waiting = pid;
	told = running = blocked = 0;
	sysrq = sys2(SYS_open, "/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	if (pid && read_of(pid, "/stat", stat, sizeof(stat))) {
		running = state_of(stat) == 'R';
		say_process(pid, stat);
	}
	each_entry("/proc", look_at);
	if (blocked) {
		complain("lkm: no answer; by SysRq w:");
		sys3(SYS_write, sysrq, "w", 1);
	}
	if (running && processors) /* what runs on another processor has no stack to read */
		sys3(SYS_write, sysrq, "l", 1);
	sys1(SYS_close, sysrq);
	log_drain();
	say(SAY_STACK, "", 0);
	ring();
}
