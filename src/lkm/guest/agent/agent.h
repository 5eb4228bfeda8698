/* SPDX-License-Identifier: MIT */
/* The agent: pid 1 of a guest.  Freestanding: no libc, no headers but its own. */
#ifndef LKM_AGENT_H
#define LKM_AGENT_H

#if defined(__x86_64__)
#include "arch_x86_64.h"
#else
#error "the agent has no arch_*.h for this machine yet"
#endif

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long u64;
typedef long i64;

/* Kernel constants (include/uapi); the values are the same on every architecture we know. */
#define E_INTR 4
#define E_AGAIN 11
#define E_NOMEM 12
#define E_EXIST 17
#define E_INVAL 22
#define E_PIPE 32
#define E_NAMETOOLONG 36
#define E_TIMEDOUT 110

#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_CREAT 0100
#define O_EXCL 0200
#define O_NOCTTY 0400
#define O_TRUNC 01000
#define O_APPEND 02000
#define O_NONBLOCK 04000
#define O_DIRECTORY 0200000
#define O_CLOEXEC 02000000

struct timespec {
	i64 tv_sec;
	i64 tv_nsec;
};

/* --- channel.c ------------------------------------------------------------------------------- */

/* Requests, host to agent, and replies.  `lkm.guest.channel` holds the same table. */
enum {
	ASK_PING = 1, ASK_LOAD = 2, ASK_UNLOAD = 3, ASK_RUN = 4, ASK_INPUT = 5, ASK_WINDOW = 6,
	ASK_PUT = 7, ASK_GET = 8, ASK_LIST = 9, ASK_PARAMETERS = 10, ASK_LOAD_FILE = 11,
};
enum {
	SAY_READY = 65, SAY_LOG = 66, SAY_DONE = 67, SAY_OUT = 68, SAY_ERR = 69, SAY_EXIT = 70,
	SAY_DATA = 71, SAY_STACK = 72,
};

struct frame {
	u32 size; /* of the body; the next frame starts at the next multiple of 8 */
	u16 type;
	u16 zero;
	u8 body[];
};

int channel_open(u64 address);
struct frame *channel_next(void);            /* the oldest request, or 0 */
void channel_taken(struct frame *request);   /* it was handled */
u8 *say_begin(u32 most);                     /* room for a body, or 0 while the host does not read */
void say_end(u16 type, u32 size);
void say(u16 type, const void *body, u32 size);
void say_done(i64 status, u64 nanoseconds);
void ring(void);                             /* the host should look */
u32 channel_generation(void);                /* changes when a saved guest wakes up in a new process */
const struct timespec *channel_time(void);
u8 *channel_seed(u32 *size);
u32 channel_signal(void);                    /* signal the host wants sent to the command, or 0 */
#define SIGNAL_WHERE 255                     /* none of those: say where the call waits */
#define SIGNAL_WHERE_ALL 254                 /* the same, each processor too */

/* --- load.c ---------------------------------------------------------------------------------- */

void worker_start(void);
void worker_ended(long pid);                 /* a child ended: where it was the worker, another starts */
i64 do_job(long call, long a, long b, long c); /* by the worker; its status */
void load_image(const u8 *body, u32 size);
void load_file(const u8 *body, u32 size);
void unload(const u8 *body, u32 size);

/* --- files.c --------------------------------------------------------------------------------- */

void put_file(const u8 *body, u32 size);
void get_file(const u8 *body, u32 size);
void list_directory(const u8 *body, u32 size);
void list_parameters(const u8 *body, u32 size);
int make_parents(char *path);
typedef void entry_handler(const char *directory, const char *name);
long each_entry(const char *directory, entry_handler *handle);

/* --- command.c ------------------------------------------------------------------------------- */

void command_start(const u8 *body, u32 size);
int command_input(const u8 *body, u32 size); /* 1 where all of it was taken */
void command_window(const u8 *body, u32 size);
int command_serve(void);                     /* 1 where something happened */
int command_runs(void);
void command_rest(i64 nanoseconds);

/* --- agent.c --------------------------------------------------------------------------------- */

void write_file(const char *path, const char *text);
int log_drain(void); /* sends what the kernel logged; 1 where there was something */
void complain(const char *text);

/* --- where.c --------------------------------------------------------------------------------- */

void say_where(long pid, int processors); /* of that process, or 0, and of those that hold it up */

/* --- system calls and memory ----------------------------------------------------------------- */

#define sys0(n) sys6(n, 0, 0, 0, 0, 0, 0)
#define sys1(n, a) sys6(n, (long)(a), 0, 0, 0, 0, 0)
#define sys2(n, a, b) sys6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define sys3(n, a, b, c) sys6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define sys4(n, a, b, c, d) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

static inline u64 now(void)
{
	struct timespec t;

	sys2(SYS_clock_gettime, 1 /* CLOCK_MONOTONIC */, &t);
	return (u64)t.tv_sec * 1000000000UL + (u64)t.tv_nsec;
}

static inline void rest(i64 nanoseconds)
{
	struct timespec t = { 0, nanoseconds };

	sys2(SYS_nanosleep, &t, 0);
}

static inline u32 length(const char *text)
{
	u32 n = 0;

	while (text[n])
		n++;
	return n;
}

static inline u32 align8(u32 size)
{
	return (size + 7) & ~7U;
}

static inline u32 read_u32(const u8 *at)
{
	return *(const u32 *)at;
}

/* A NUL-terminated text inside a body, or 0. */
static inline const char *text_in(const u8 *body, u32 size)
{
	for (u32 i = 0; i < size; i++)
		if (!body[i])
			return (const char *)body;
	return 0;
}

#endif
