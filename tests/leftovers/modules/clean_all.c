// SPDX-License-Identifier: GPL-2.0
/* Registers one of each and forgets nothing. */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <linux/kthread.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/miscdevice.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/debugfs.h>
#include <linux/hrtimer.h>
#include <linux/kobject.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

static int show(struct seq_file *file, void *data)
{
	return 0;
}
static void tick(struct timer_list *timer)
{
}
static DEFINE_TIMER(clock, tick);
static void job(struct work_struct *work)
{
}
static DECLARE_DELAYED_WORK(later, job);
static struct workqueue_struct *queue;
static struct task_struct *thread;
static struct kobject *object;
static struct kmem_cache *cache;
static struct dentry *directory;
static void *buffer, *large;
static const struct file_operations ops = { .owner = THIS_MODULE };
static struct miscdevice device = { .minor = MISC_DYNAMIC_MINOR, .name = "clean_all", .fops = &ops };
static int loop(void *data)
{
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

static int __init clean_all_init(void)
{
	int status = misc_register(&device);

	if (status)
		return status;
	proc_create_single("clean_all", 0444, NULL, show);
	mod_timer(&clock, jiffies + 600 * HZ);
	schedule_delayed_work(&later, 600 * HZ);
	queue = alloc_workqueue("clean_all", WQ_UNBOUND | WQ_MEM_RECLAIM, 1);
	thread = kthread_run(loop, NULL, "clean_all");
	object = kobject_create_and_add("clean_all", kernel_kobj);
	cache = kmem_cache_create("clean_all", 72, 0, 0, NULL);
	directory = debugfs_create_dir("clean_all", NULL);
	debugfs_create_file("file", 0444, directory, NULL, &ops);
	buffer = kmalloc(100, GFP_KERNEL);
	large = vmalloc(100000);
	return 0;
}
module_init(clean_all_init);

static void __exit clean_all_exit(void)
{
	vfree(large);
	kfree(buffer);
	debugfs_remove_recursive(directory);
	kmem_cache_destroy(cache);
	kobject_put(object);
	kthread_stop(thread);
	destroy_workqueue(queue);
	cancel_delayed_work_sync(&later);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	timer_delete_sync(&clock);
#else
	del_timer_sync(&clock);
#endif
	remove_proc_entry("clean_all", NULL);
	misc_deregister(&device);
}
module_exit(clean_all_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Registers one of each and forgets nothing.");
