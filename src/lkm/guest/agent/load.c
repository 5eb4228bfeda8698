/* SPDX-License-Identifier: MIT */
/*
 * Loading and unloading happen in a worker, a second process in the same memory that is there before
 * the guest is saved: a module that oopses kills the worker and not pid 1 (which would be a panic), and
 * no run pays for making a process.
 */
#include "agent.h"

enum { FREE, ASKED, ANSWERED };

static struct {
	volatile u32 state;
	long call, a, b, c;
	i64 status;
	u64 nanoseconds;
} job;

static u8 stack[16384] __attribute__((aligned(16)));
static long worker;

static void wait_on(volatile u32 *word, u32 value, i64 nanoseconds)
{
	struct timespec limit = { 0, nanoseconds };

	sys4(SYS_futex, word, 128 /* FUTEX_WAIT_PRIVATE */, value, nanoseconds ? &limit : 0);
}

static void wake(volatile u32 *word)
{
	sys3(SYS_futex, word, 129 /* FUTEX_WAKE_PRIVATE */, 1);
}

static void work(void)
{
	sys2(SYS_prctl, 15 /* PR_SET_NAME */, "lkm"); /* what reports call it; pid 1 is "init" */
	for (;;) {
		u64 start;
		u32 seen;

		/* Looked at once a turn: to wait for the end of a state that was never seen is to wait for ever. */
		while ((seen = job.state) != ASKED)
			wait_on(&job.state, seen, 0);
		start = now();
		job.status = sys3(job.call, job.a, job.b, job.c);
		job.nanoseconds = now() - start;
		__asm__ volatile("" ::: "memory");
		job.state = ANSWERED;
		wake(&job.state);
	}
}

void worker_start(void)
{
	job.state = FREE;
	/* CLONE_VM | CLONE_FS | CLONE_FILES, SIGCHLD at the end */
	worker = arch_clone(0x100 | 0x200 | 0x400 | 17, stack + sizeof(stack), work);
}

void worker_ended(long pid)
{
	if (pid == worker)
		worker_start();
}

/* Status of a call that did not return: its process was killed, by an oops. */
#define KILLED (-1000)

i64 do_job(long call, long a, long b, long c)
{
	u64 start = now();
	i64 patience = 60000000;
	u32 number;

	job.call = call;
	job.a = a;
	job.b = b;
	job.c = c;
	__asm__ volatile("" ::: "memory");
	job.state = ASKED;
	wake(&job.state);
	while (job.state != ANSWERED) {
		/* What a slow init prints is sent as it comes. */
		wait_on(&job.state, ASKED, patience);
		patience = 20000000;
		if (job.state == ANSWERED)
			break;
		if (log_drain())
			ring();
		number = channel_signal();
		if (number == SIGNAL_WHERE || number == SIGNAL_WHERE_ALL)
			say_where(worker, number == SIGNAL_WHERE_ALL);
		if (sys4(SYS_wait4, worker, 0, 1 /* WNOHANG */, 0) == worker) {
			worker_start();
			job.status = KILLED;
			job.nanoseconds = now() - start;
			break;
		}
	}
	job.state = FREE;
	return job.status;
}

static void answer_job(long call, long a, long b, long c)
{
	do_job(call, a, b, c);
	log_drain();
	say_done(job.status, job.nanoseconds);
}

/* body: u32 size of the parameters with their NUL, padded; u32 0; parameters; the module */
void load_image(const u8 *body, u32 size)
{
	u32 skip = size >= 8 ? 8 + align8(read_u32(body)) : size;

	if (skip >= size)
		return say_done(-E_INVAL, 0);
	answer_job(SYS_init_module, (long)(body + skip), (long)(size - skip), (long)(body + 8));
}

/* body: as above, with a path in the guest in place of the module */
void load_file(const u8 *body, u32 size)
{
	u32 skip = size >= 8 ? 8 + align8(read_u32(body)) : size;
	long fd;

	if (skip >= size || !text_in(body + skip, size - skip))
		return say_done(-E_INVAL, 0);
	fd = sys2(SYS_open, body + skip, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return say_done(fd, 0);
	answer_job(SYS_finit_module, fd, (long)(body + 8), 0);
	sys1(SYS_close, fd);
}

/* body: u32 flags of delete_module(2), u32 0, name */
void unload(const u8 *body, u32 size)
{
	if (size <= 8 || !text_in(body + 8, size - 8))
		return say_done(-E_INVAL, 0);
	answer_job(SYS_delete_module, (long)(body + 8), (long)(read_u32(body) | O_NONBLOCK), 0);
}
