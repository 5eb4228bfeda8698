/* SPDX-License-Identifier: MIT */
/*
 * All that depends on the machine: entering, system calls, the doorbell.
 * Another architecture brings a file of the same shape (arch_<uname -m>.h).
 */
#ifndef LKM_ARCH_H
#define LKM_ARCH_H

/* Numbers: arch/x86/entry/syscalls/syscall_64.tbl */
enum {
	SYS_read = 0, SYS_write = 1, SYS_open = 2, SYS_close = 3, SYS_lseek = 8, SYS_mmap = 9,
	SYS_rt_sigaction = 13, SYS_ioctl = 16, SYS_access = 21, SYS_dup2 = 33, SYS_nanosleep = 35, SYS_clone = 56,
	SYS_fork = 57, SYS_execve = 59, SYS_exit = 60, SYS_wait4 = 61, SYS_kill = 62,
	SYS_chdir = 80, SYS_mkdir = 83, SYS_symlink = 88, SYS_fchmod = 91, SYS_setsid = 112,
	SYS_getppid = 110, SYS_prctl = 157, SYS_mount = 165, SYS_reboot = 169, SYS_sethostname = 170, SYS_ioperm = 173, SYS_init_module = 175,
	SYS_delete_module = 176, SYS_futex = 202, SYS_getdents64 = 217, SYS_clock_settime = 227,
	SYS_clock_gettime = 228, SYS_ppoll = 271, SYS_pipe2 = 293, SYS_finit_module = 313,
};

static inline long sys6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/*
 * Starts entry() on a stack of its own, in the same memory; returns the child's pid.
 * clone(2) returns in the child on an empty stack, so nothing of C may lie between.
 */
static inline long arch_clone(unsigned long flags, void *stack, void (*entry)(void))
{
	long result;

	__asm__ volatile("xorl %%r10d, %%r10d\n\t"
			 "xorl %%r8d, %%r8d\n\t"
			 "syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "callq *%%rbx\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(result)
			 : "a"(SYS_clone), "D"(flags), "S"(stack), "d"(0L), "b"(entry)
			 : "rcx", "r8", "r10", "r11", "memory");
	return result;
}

/* The stack holds argc, argv, envp; a call leaves it aligned as the ABI wants. */
#define ARCH_START(main)                      \
	__asm__(".globl _start\n"             \
		"_start:\n\t"                 \
		"xorl %ebp, %ebp\n\t"         \
		"movq %rsp, %rdi\n\t"         \
		"andq $-16, %rsp\n\t"         \
		"call " #main "\n\t"          \
		"hlt\n")

/*
 * The doorbell is QEMU's isa-debugcon: one out instruction from user mode, no kernel code at all,
 * which matters where each kernel path costs its translation.
 */
#define BELL_PORT 0xe9

static inline int bell_open(void)
{
	return (int)sys6(SYS_ioperm, BELL_PORT, 1, 1, 0, 0, 0);
}

static inline void bell_ring(void)
{
	__asm__ volatile("outb %0, %1" : : "a"((unsigned char)'!'), "Nd"((unsigned short)BELL_PORT) : "memory");
}

/* Words, not bytes: an emulated `rep movsb` moves one byte a turn. */
static inline void copy_bytes(void *to, const void *from, unsigned long size)
{
	unsigned long words = size / 8, rest = size % 8;

	__asm__ volatile("rep movsq\n\t"
			 "movq %3, %%rcx\n\t"
			 "rep movsb"
			 : "+D"(to), "+S"(from), "+c"(words)
			 : "r"(rest)
			 : "memory");
}

#endif
