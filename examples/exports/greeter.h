/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GREETER_H
#define GREETER_H

/* Says hello to @whom; returns how often it has done so. */
int greeter_greet(const char *whom);

#endif
