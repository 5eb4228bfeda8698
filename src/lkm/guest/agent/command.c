/* SPDX-License-Identifier: MIT */
/* One command at a time: started, fed, listened to, ended; on pipes, or on a terminal of its own. */
#include "agent.h"

#define WORDS 1024
#define PIECE 16384U

struct pollfd {
	i32 fd;
	u16 events;
	u16 revents;
};

static struct {
	long pid;             /* 0: none runs */
	int ended;
	i32 status;           /* as wait4(2) gives it */
	u64 start;
	long in, out, err;    /* our ends; -1 where closed */
	int terminal;
	long child[3];        /* its ends, or -1 */
	char **argv, **envp;
	long failed;          /* what execve said */
} command;

static char *words[WORDS + 2];
static u8 stack[16384] __attribute__((aligned(16)));

/* Runs in our memory until execve: touches nothing of ours but `failed`. */
static void child(void)
{
	sys0(SYS_setsid);
	for (int i = 0; i < 3; i++)
		sys2(SYS_dup2, command.child[i], i);
	if (command.terminal)
		sys3(SYS_ioctl, 0, 0x540e /* TIOCSCTTY */, 0);
	sys1(SYS_chdir, "/root");
	write_file("/proc/self/oom_score_adj", "0");
	command.failed = sys3(SYS_execve, command.argv[0], command.argv, command.envp);
	sys1(SYS_exit, 127);
}

static void close_fd(long *fd)
{
	if (*fd >= 0)
		sys1(SYS_close, *fd);
	*fd = -1;
}

static long open_pipes(const char *input)
{
	i32 out[2], err[2];
	long result = sys2(SYS_pipe2, out, O_CLOEXEC);

	if (result < 0)
		return result;
	result = sys2(SYS_pipe2, err, O_CLOEXEC);
	if (result < 0)
		return result;
	command.out = out[0];
	command.err = err[0];
	command.in = -1;
	command.child[1] = out[1];
	command.child[2] = err[1];
	/* F_SETFL is left alone on purpose for the child's ends: only ours are polled before a read. */
	command.child[0] = sys2(SYS_open, input, O_RDONLY | O_CLOEXEC);
	return command.child[0] < 0 ? command.child[0] : 0;
}

static long open_terminal(u16 rows, u16 columns)
{
	u16 window[4] = { rows, columns, 0, 0 };
	char path[32] = "/dev/pts/";
	u32 n = 9, number, zero = 0;
	long fd = sys2(SYS_open, "/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), peer;
	char digits[12];
	int count = 0;

	if (fd < 0)
		return fd;
	sys3(SYS_ioctl, fd, 0x40045431 /* TIOCSPTLCK */, &zero);
	if (sys3(SYS_ioctl, fd, 0x80045430UL /* TIOCGPTN */, &number) < 0)
		return -E_INVAL;
	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count)
		path[n++] = digits[--count];
	path[n] = 0;
	sys3(SYS_ioctl, fd, 0x5414 /* TIOCSWINSZ */, window);
	peer = sys2(SYS_open, path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (peer < 0)
		return peer;
	command.in = command.out = fd;
	command.err = -1;
	command.child[0] = command.child[1] = command.child[2] = peer;
	return 0;
}

/*
 * body: u32 flags (1: a terminal), u16 rows, u16 columns, u32 argc, u32 envc, then NUL-ended texts: the
 * file that is standard input, argv, environment
 */
void command_start(const u8 *body, u32 size)
{
	const char *input;
	u32 argc, envc, at = 16, n = 0;
	long result;

	if (command.pid || size < 17 || body[size - 1])
		return say_done(-E_INVAL, 0);
	argc = read_u32(body + 8);
	envc = read_u32(body + 12);
	if (!argc || argc + envc > WORDS)
		return say_done(-7 /* E2BIG */, 0);
	input = (const char *)body + at;
	at += length(input) + 1;
	for (u32 i = 0; i < argc + envc; i++) {
		if (i == argc)
			words[n++] = 0;
		if (at >= size)
			return say_done(-E_INVAL, 0);
		words[n++] = (char *)body + at;
		at += length((const char *)body + at) + 1;
	}
	if (!envc)
		words[n++] = 0;
	words[n] = 0;
	command.argv = words;
	command.envp = words + argc + 1;
	command.terminal = (int)(read_u32(body) & 1);
	command.in = command.out = command.err = -1;
	command.child[0] = command.child[1] = command.child[2] = -1;
	command.failed = 0;
	command.ended = 0;
	channel_signal();
	result = command.terminal ? open_terminal(*(const u16 *)(body + 4), *(const u16 *)(body + 6)) : open_pipes(input);
	command.start = now();
	if (result == 0) /* CLONE_VM | CLONE_VFORK, SIGCHLD: the window's page tables are not copied */
		result = arch_clone(0x100 | 0x4000 | 17, stack + sizeof(stack), child);
	close_fd(&command.child[0]);
	if (command.terminal)
		command.child[1] = command.child[2] = -1;
	close_fd(&command.child[1]);
	close_fd(&command.child[2]);
	if (result > 0 && command.failed) {
		sys4(SYS_wait4, result, 0, 0, 0);
		result = command.failed;
	}
	if (result < 0) {
		if (command.in == command.out)
			command.in = -1;
		close_fd(&command.in);
		close_fd(&command.out);
		close_fd(&command.err);
		return say_done(result, 0);
	}
	command.pid = result;
	say_done(0, 0);
}

int command_input(const u8 *body, u32 size)
{
	static u32 taken;

	if (!command.pid || command.in < 0)
		return 1;
	while (taken < size) {
		long result = sys3(SYS_write, command.in, body + taken, size - taken);

		if (result == -E_AGAIN)
			return 0;
		if (result <= 0)
			break;
		taken += (u32)result;
	}
	taken = 0;
	return 1;
}

void command_window(const u8 *body, u32 size)
{
	u16 window[4] = { 0 };

	if (size < 4 || !command.terminal || command.in < 0)
		return;
	copy_bytes(window, body, 4);
	sys3(SYS_ioctl, command.in, 0x5414 /* TIOCSWINSZ */, window);
}

int command_runs(void)
{
	return command.pid != 0;
}

static int fds(struct pollfd *polled)
{
	int n = 0;

	if (command.out >= 0)
		polled[n++] = (struct pollfd){ (i32)command.out, 1 /* POLLIN */, 0 };
	if (command.err >= 0)
		polled[n++] = (struct pollfd){ (i32)command.err, 1, 0 };
	return n;
}

static int relay(long *fd, u16 type)
{
	u8 *room = say_begin(PIECE);
	long got;

	if (!room)
		return 0;
	got = sys3(SYS_read, *fd, room, PIECE);
	if (got > 0) {
		say_end(type, (u32)got);
		return 1;
	}
	if (got != -E_AGAIN && got != -E_INTR) {
		if (command.in == *fd)
			command.in = -1;
		close_fd(fd);
	}
	return 0;
}

static void finish(void)
{
	u64 body[2] = { (u64)(u32)command.status, now() - command.start };

	if (command.in == command.out)
		command.in = -1;
	close_fd(&command.in);
	close_fd(&command.out);
	close_fd(&command.err);
	command.pid = 0;
	log_drain();
	say(SAY_EXIT, body, sizeof(body));
	ring();
}

int command_serve(void)
{
	struct pollfd polled[2];
	struct timespec at_once = { 0, 0 };
	u32 number = channel_signal();
	int happened = 0, n;
	i32 status;
	long pid;

	if (number == SIGNAL_WHERE || number == SIGNAL_WHERE_ALL)
		say_where(command.pid, number == SIGNAL_WHERE_ALL);
	else if (number && command.pid) /* the session it leads, so what it started ends too */
		sys2(SYS_kill, -command.pid, number);
	if (!command.pid)
		return 0;
	while ((pid = sys4(SYS_wait4, -1, &status, 1 /* WNOHANG */, 0)) > 0) {
		if (pid == command.pid) {
			command.ended = 1;
			command.status = status;
		}
		worker_ended(pid);
	}
	n = fds(polled);
	if (n && sys4(SYS_ppoll, polled, n, &at_once, 0) > 0) {
		for (int i = 0; i < n; i++) {
			if (!polled[i].revents)
				continue;
			if (polled[i].fd == command.out)
				happened |= relay(&command.out, SAY_OUT);
			else
				happened |= relay(&command.err, SAY_ERR);
		}
	}
	if (happened)
		ring();
	else if (command.ended)
		finish(); /* all it wrote was read; something it left running may hold the pipes open */
	return happened;
}

void command_rest(i64 nanoseconds)
{
	struct pollfd polled[2];
	struct timespec limit = { 0, nanoseconds };
	int n = fds(polled);

	sys4(SYS_ppoll, polled, n, &limit, 0);
}
