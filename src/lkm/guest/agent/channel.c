/* SPDX-License-Identifier: MIT */
/*
 * The channel: a window of memory that the host and this guest share (QEMU's ivshmem-plain, mapped
 * through sysfs, so no driver is needed), with a ring of frames in each direction.  The host is woken
 * by the doorbell; the agent looks by itself, often while there is work and rarely when there is none.
 *
 * All that says how far the rings were read lies in the window and nothing in the agent: a saved guest
 * wakes up with a new window and goes on with what it finds there.
 */
#include "agent.h"

struct header {
	u32 magic;
	volatile u32 generation;
	u64 in_size, out_size;    /* bytes of each ring; in follows the header page, out follows in */
	volatile u64 in_head;     /* bytes the host wrote, ever */
	volatile u64 in_tail;     /* bytes the agent took */
	volatile u64 out_head;    /* bytes the agent wrote */
	volatile u64 out_tail;    /* bytes the host took */
	struct timespec time;
	volatile u32 signal;
	u32 seed_size;
	u8 seed[64];
	volatile u32 bell; /* 1: the doorbell works; else the host must look by itself */
};

#define MAGIC 0x314d4b4c /* "LKM1" */
#define PAGE 4096UL

static u8 *window;
static volatile struct header *header;
static int bell;


/* Maps the window, which lies at a physical address that the kernel does not use as memory. */
int channel_open(u64 address)
{
	struct header first;
	long fd = sys2(SYS_open, "/dev/mem", O_RDWR | O_CLOEXEC), at;

	if (fd < 0)
		return (int)fd;
	at = sys6(SYS_mmap, 0, PAGE, 3, 1 /* MAP_SHARED */, fd, (long)address);
	if (at < 0 && at > -4096)
		return (int)at;
	copy_bytes(&first, (void *)at, sizeof(first));
	if (first.magic != MAGIC)
		return -E_INVAL;
	at = sys6(SYS_mmap, 0, PAGE + first.in_size + first.out_size, 3, 1, fd, (long)address);
	sys1(SYS_close, fd);
	if (at < 0 && at > -4096)
		return (int)at;
	window = (u8 *)at;
	header = (volatile struct header *)window;
	bell = bell_open() == 0;
	header->bell = (u32)bell;
	return 0;
}

struct frame *channel_next(void)
{
	for (;;) {
		u64 tail = header->in_tail, offset = tail % header->in_size;
		struct frame *request = (struct frame *)(window + PAGE + offset);

		if (header->in_head == tail)
			return 0;
		__asm__ volatile("" ::: "memory");
		if (request->type)
			return request;
		header->in_tail = tail + (header->in_size - offset); /* the rest of the ring was left empty */
	}
}

void channel_taken(struct frame *request)
{
	header->in_tail += sizeof(*request) + align8(request->size);
}

static struct frame *reserved;
static u64 reserved_at;

u8 *say_begin(u32 most)
{
	u64 head = header->out_head, size = header->out_size, offset = head % size;
	u64 need = sizeof(struct frame) + align8(most);
	u8 *out = window + PAGE + header->in_size;

	if (offset + need > size) {
		u64 skip = size - offset;

		if (head + skip + need - header->out_tail > size)
			return 0;
		*(struct frame *)(out + offset) = (struct frame){ 0 };
		head += skip;
		offset = 0;
	} else if (head + need - header->out_tail > size) {
		return 0;
	}
	reserved = (struct frame *)(out + offset);
	reserved_at = head;
	return reserved->body;
}

void say_end(u16 type, u32 size)
{
	reserved->size = size;
	reserved->type = type;
	reserved->zero = 0;
	__asm__ volatile("" ::: "memory");
	header->out_head = reserved_at + sizeof(struct frame) + align8(size);
}

/* Waits while the host does not read: what was asked for is never left out. */
void say(u16 type, const void *body, u32 size)
{
	u8 *room;

	while (!(room = say_begin(size))) {
		ring();
		rest(1000000);
	}
	copy_bytes(room, body, size);
	say_end(type, size);
}

void say_done(i64 status, u64 nanoseconds)
{
	u64 body[2] = { (u64)status, nanoseconds };

	say(SAY_DONE, body, sizeof(body));
	ring();
}

void ring(void)
{
	header->bell = (u32)bell; /* a clone's window begins with zeros */
	if (bell)
		bell_ring();
}

u32 channel_generation(void)
{
	return header->generation;
}

const struct timespec *channel_time(void)
{
	return (const struct timespec *)&header->time;
}

u8 *channel_seed(u32 *size)
{
	*size = header->seed_size;
	return (u8 *)header->seed;
}

u32 channel_signal(void)
{
	u32 number = header->signal;

	if (number)
		header->signal = 0;
	return number;
}
