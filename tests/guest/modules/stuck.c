// SPDX-License-Identifier: GPL-2.0
/* Never ends: how= says in which way, at= in which place */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/semaphore.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

static char *how = "loop";
module_param(how, charp, 0);
static char *at = "init";
module_param(at, charp, 0);

static int on = 1;
static DEFINE_SPINLOCK(spin);
static DEFINE_MUTEX(mutex);
static struct semaphore semaphore = __SEMAPHORE_INITIALIZER(semaphore, 1);
static DECLARE_COMPLETION(never);
static DECLARE_WAIT_QUEUE_HEAD(queue);

static noinline void stick(void)
{
	pr_info("stuck: %s in %s\n", how, at);
	if (!strcmp(how, "loop"))
		while (READ_ONCE(on))
			barrier();
	if (!strcmp(how, "deaf")) {
		local_irq_disable();
		while (READ_ONCE(on))
			barrier();
	}
	if (!strcmp(how, "spinlock")) {
		spin_lock(&spin);
		spin_lock(&spin);
	}
	if (!strcmp(how, "mutex")) {
		mutex_lock(&mutex);
		mutex_lock(&mutex);
	}
	if (!strcmp(how, "semaphore")) {
		down(&semaphore);
		down(&semaphore);
	}
	if (!strcmp(how, "sleep"))
		ssleep(10000);
	if (!strcmp(how, "doze"))
		msleep_interruptible(10000000);
	if (!strcmp(how, "completion"))
		wait_for_completion(&never);
	if (!strcmp(how, "event"))
		wait_event_interruptible(queue, !READ_ONCE(on));
	if (!strcmp(how, "print"))
		while (READ_ONCE(on))
			pr_info("stuck: %0900d\n", on);
}

static void stuck_timer(struct timer_list *timer)
{
	stick();
}
static DEFINE_TIMER(timer, stuck_timer);

static void stuck_work(struct work_struct *work)
{
	stick();
}
static DECLARE_WORK(work, stuck_work);

static int stuck_thread(void *data)
{
	stick();
	return 0;
}

static void stuck_tasklet(unsigned long data)
{
	stick();
}
static DECLARE_TASKLET_OLD(tasklet, stuck_tasklet);

static int stuck_show(struct seq_file *file, void *data)
{
	stick();
	return 0;
}

static int __init stuck_init(void)
{
	pr_info("stuck: begins\n");
	if (!strcmp(at, "init"))
		stick();
	if (!strcmp(at, "timer"))
		mod_timer(&timer, jiffies + 2);
	if (!strcmp(at, "tasklet"))
		tasklet_schedule(&tasklet);
	if (!strcmp(at, "work"))
		schedule_work(&work);
	if (!strcmp(at, "thread"))
		kthread_run(stuck_thread, NULL, "stuck");
	if (!strcmp(at, "read"))
		proc_create_single("stuck", 0, NULL, stuck_show);
	return 0;
}
module_init(stuck_init);

static void __exit stuck_exit(void)
{
	if (!strcmp(at, "exit"))
		stick();
	if (!strcmp(at, "timer"))
		timer_delete_sync(&timer);
	if (!strcmp(at, "work"))
		cancel_work_sync(&work);
	if (!strcmp(at, "read"))
		remove_proc_entry("stuck", NULL);
}
module_exit(stuck_exit);

MODULE_DESCRIPTION("Never ends");
MODULE_LICENSE("GPL");
