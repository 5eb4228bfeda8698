/* SPDX-License-Identifier: MIT */
/* Files in and out, directories, and the values of a module's parameters. */
#include "agent.h"

#define PIECE 65536U

struct dirent {
	u64 inode;
	i64 offset;
	u16 size;
	u8 type;
	char name[];
};

int make_parents(char *path)
{
	for (char *at = path + 1; *at; at++) {
		long result;

		if (*at != '/')
			continue;
		*at = 0;
		result = sys2(SYS_mkdir, path, 0755);
		*at = '/';
		if (result < 0 && result != -E_EXIST)
			return (int)result;
	}
	return 0;
}

/* body: u32 mode, u32 flags (1: add to what is there), path padded, data */
void put_file(const u8 *body, u32 size)
{
	const char *path = size > 8 ? text_in(body + 8, size - 8) : 0;
	char copy[4096];
	u32 skip, flags;
	long fd, result = 0;

	if (!path || length(path) >= sizeof(copy))
		return say_done(-E_INVAL, 0);
	skip = 8 + align8(length(path) + 1);
	flags = read_u32(body + 4);
	copy_bytes(copy, path, length(path) + 1);
	result = flags & 1 ? 0 : make_parents(copy);
	if (result < 0)
		return say_done(result, 0);
	fd = sys3(SYS_open, path, O_WRONLY | O_CREAT | O_CLOEXEC | (flags & 1 ? O_APPEND : O_TRUNC), 0600);
	if (fd < 0)
		return say_done(fd, 0);
	while (skip < size) {
		result = sys3(SYS_write, fd, body + skip, size - skip);
		if (result <= 0)
			break;
		skip += (u32)result;
	}
	if (result >= 0)
		result = sys2(SYS_fchmod, fd, read_u32(body));
	sys1(SYS_close, fd);
	say_done(result < 0 ? result : 0, 0);
}

/* body: path.  The file follows in pieces, then its end. */
void get_file(const u8 *body, u32 size)
{
	const char *path = text_in(body, size);
	long fd = path ? sys2(SYS_open, path, O_RDONLY | O_CLOEXEC) : -E_INVAL, got;

	if (fd < 0)
		return say_done(fd, 0);
	for (;;) {
		u8 *room;

		while (!(room = say_begin(PIECE))) {
			ring();
			rest(1000000);
		}
		got = sys3(SYS_read, fd, room, PIECE);
		if (got <= 0)
			break;
		say_end(SAY_DATA, (u32)got);
	}
	sys1(SYS_close, fd);
	say_done(got, 0);
}

long each_entry(const char *directory, entry_handler *handle)
{
	static u8 entries[8192];
	long fd = sys2(SYS_open, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), got;

	if (fd < 0)
		return fd;
	while ((got = sys3(SYS_getdents64, fd, entries, sizeof(entries))) > 0) {
		for (long at = 0; at < got;) {
			struct dirent *entry = (struct dirent *)(entries + at);

			at += entry->size;
			if (entry->name[0] == '.' && (!entry->name[1] || (entry->name[1] == '.' && !entry->name[2])))
				continue;
			handle(directory, entry->name);
		}
	}
	sys1(SYS_close, fd);
	return got;
}

static void say_name(const char *directory, const char *name)
{
	(void)directory;
	say(SAY_DATA, name, length(name) + 1);
}

/* body: path.  Each name is one reply. */
void list_directory(const u8 *body, u32 size)
{
	const char *path = text_in(body, size);

	say_done(path ? each_entry(path, say_name) : -E_INVAL, 0);
}

static void say_parameter(const char *directory, const char *name)
{
	static char path[512], value[8192];
	u32 n = length(directory), m = length(name);
	long fd, got;

	if (n + m + 2 > sizeof(path) || m >= 256)
		return;
	copy_bytes(path, directory, n);
	path[n] = '/';
	copy_bytes(path + n + 1, name, m + 1);
	copy_bytes(value, name, m + 1);
	fd = sys2(SYS_open, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* a parameter that nobody may read is not shown */
	got = sys3(SYS_read, fd, value + m + 1, sizeof(value) - m - 1);
	sys1(SYS_close, fd);
	if (got >= 0)
		say(SAY_DATA, value, m + 1 + (u32)got);
}

/* body: a module's name.  Each reply: name of a parameter, NUL, value as sysfs gives it. */
void list_parameters(const u8 *body, u32 size)
{
	static const char before[] = "/sys/module/", after[] = "/parameters";
	const char *name = text_in(body, size);
	char path[128];
	u32 n;

	if (!name || length(name) > 64)
		return say_done(-E_INVAL, 0);
	n = length(name);
	copy_bytes(path, before, sizeof(before) - 1);
	copy_bytes(path + sizeof(before) - 1, name, n);
	copy_bytes(path + sizeof(before) - 1 + n, after, sizeof(after));
	say_done(each_entry(path, say_parameter), 0);
}
