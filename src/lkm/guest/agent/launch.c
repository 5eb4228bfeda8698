/* SPDX-License-Identifier: MIT */
/*
 * On the host: `launch PARENT PROGRAM ARGUMENT...` becomes PROGRAM, and is killed when PARENT ends, however
 * that happens.  setpriv(1) does nearly that; a parent that was killed before setpriv came to prctl(2)
 * leaves its child behind for good.  It takes twice as long, too.
 */
#include "agent.h"

ARCH_START(launch_main);

__attribute__((used)) void launch_main(long *stack)
{
	char **words = (char **)(stack + 1), **environment = words + stack[0] + 1;
	long parent = 0;

	if (stack[0] < 3)
		sys1(SYS_exit, 2);
	for (const char *digit = words[1]; *digit; digit++)
		parent = parent * 10 + (*digit - '0');
	sys2(SYS_prctl, 1 /* PR_SET_PDEATHSIG */, 9);
	if (sys0(SYS_getppid) != parent)
		sys1(SYS_exit, 137);
	sys3(SYS_execve, words[2], words + 2, environment);
	sys1(SYS_exit, 127);
}
