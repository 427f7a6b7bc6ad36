// SPDX-License-Identifier: GPL-2.0
/* The module: its parameters and its cards. */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "labnic.h"

/* ---- what is in the machine ---- */

static int npf = 2;
module_param(npf, int, 0444);
MODULE_PARM_DESC(npf, "number of PFs, 1 to 32");

static int functions = 1;
module_param(functions, int, 0444);
MODULE_PARM_DESC(functions, "PFs per card, 1 to 8");

static int totalvfs = 16;
module_param(totalvfs, int, 0444);
MODULE_PARM_DESC(totalvfs, "VFs of each PF; those of a card must fit a bus");

static int firstbus = 0x10;
module_param(firstbus, int, 0444);
MODULE_PARM_DESC(firstbus, "bus of the first root port; a card takes two buses");

static int domain[LAB_MAX_PFS];
module_param_array(domain, int, NULL, 0444);
MODULE_PARM_DESC(domain, "PCI domain of each card");

static int numa[LAB_MAX_PFS] = { [0 ... LAB_MAX_PFS - 1] = NUMA_NO_NODE };
module_param_array(numa, int, NULL, 0444);
MODULE_PARM_DESC(numa, "NUMA node of each card, on x86");

/* ---- how it behaves ---- */

int max_vqs = 64;
module_param(max_vqs, int, 0644);
MODULE_PARM_DESC(max_vqs, "data queues that a vDPA device can have");

static DECLARE_WAIT_QUEUE_HEAD(delay_changed);

void lab_delay(const unsigned int *delay_ms)
{
	wait_event_timeout(delay_changed, READ_ONCE(*delay_ms) == 0,
			   msecs_to_jiffies(READ_ONCE(*delay_ms)));
}

static int set_delay(const char *text, const struct kernel_param *param)
{
	int err = param_set_uint(text, param);

	wake_up_all(&delay_changed);
	return err;
}

static const struct kernel_param_ops delay_ops = { .set = set_delay, .get = param_get_uint };

unsigned int add_delay_ms;
module_param_cb(add_delay_ms, &delay_ops, &add_delay_ms, 0644);
MODULE_PARM_DESC(add_delay_ms, "time that adding a vDPA device takes");

int add_error;
module_param(add_error, int, 0644);
MODULE_PARM_DESC(add_error, "errno with which adding a vDPA device fails");

unsigned int del_delay_ms;
module_param_cb(del_delay_ms, &delay_ops, &del_delay_ms, 0644);
MODULE_PARM_DESC(del_delay_ms, "time that deleting a vDPA device takes");

int unmanaged = -1;
module_param(unmanaged, int, 0644);
MODULE_PARM_DESC(unmanaged, "VF (of any PF) whose driver makes a vDPA device by itself");

unsigned int config_delay_ms;
module_param_cb(config_delay_ms, &delay_ops, &config_delay_ms, 0644);
MODULE_PARM_DESC(config_delay_ms, "time that reading the configuration of a vDPA device takes");

int link_down = -1;
module_param(link_down, int, 0644);
MODULE_PARM_DESC(link_down, "VF (of any PF) whose vDPA device has its link down");

int legacy;
module_param(legacy, int, 0644);
MODULE_PARM_DESC(legacy, "no switch: PFs without switch id, and VFs without representors from now on");

/* ---- cards ---- */

static struct lab_card *cards[LAB_MAX_PFS];

struct lab_pull {
	struct work_struct work;
	int pf;
};

static struct lab_pull pulls[LAB_MAX_PFS];
/* One for each PF at a time: a removal that waits for an open device must not hold up others. */
static struct workqueue_struct *pull_queue;
/* Those that are not done. */
static atomic_t pulls_under_way;

static void pull_work(struct work_struct *work)
{
	int pf = container_of(work, struct lab_pull, work)->pf;

	lab_card_pull(cards[pf / functions], pf % functions);
	atomic_dec(&pulls_under_way);
}

static int parse_pf(const char *text, int *pf)
{
	int err = kstrtoint(text, 0, pf);

	if (err)
		return err;
	/* Before the module runs there is nothing to pull. */
	if (!pull_queue || *pf < 0 || *pf >= npf)
		return -ENODEV;
	return 0;
}

/*
 * Hotplug does not make anybody wait, and a parameter's writer holds the lock of all parameters of
 * the module: so the removal goes on in the background.
 */
static int set_pull(const char *text, const struct kernel_param *param)
{
	int pf, err = parse_pf(text, &pf);

	if (err)
		return err;
	atomic_inc(&pulls_under_way);
	if (!queue_work(pull_queue, &pulls[pf].work))
		atomic_dec(&pulls_under_way);
	return 0;
}

static int get_pulls(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%d\n", atomic_read(&pulls_under_way));
}

static int set_return(const char *text, const struct kernel_param *param)
{
	int pf, err = parse_pf(text, &pf);

	if (err)
		return err;
	if (work_busy(&pulls[pf].work))
		return -EBUSY;
	lab_card_return(cards[pf / functions], pf % functions);
	return 0;
}

static const struct kernel_param_ops pull_ops = { .set = set_pull, .get = get_pulls };
module_param_cb(pull, &pull_ops, NULL, 0600);
MODULE_PARM_DESC(pull, "write: the PF with this number is pulled out; read: pulls under way");

static const struct kernel_param_ops return_ops = { .set = set_return };
module_param_cb(put_back, &return_ops, NULL, 0200);
MODULE_PARM_DESC(put_back, "write: the PF is back; a rescan of the PCI bus finds it");

static int check_parameters(void)
{
	if (npf < 1 || npf > LAB_MAX_PFS || functions < 1 || functions > LAB_MAX_FUNCTIONS ||
	    npf % functions)
		return -EINVAL;
	if (totalvfs < 1 || functions * (totalvfs + 1) > 256)
		return -EINVAL;
	if (firstbus < 1 || firstbus + 2 * (npf / functions) > 256)
		return -EINVAL;
	return max_vqs < 2 ? -EINVAL : 0;
}

static void remove_all(void)
{
	struct workqueue_struct *queue;
	int i;

	/* The parameters outlive this function: from here on they find nothing to pull. */
	kernel_param_lock(THIS_MODULE);
	queue = pull_queue;
	pull_queue = NULL;
	kernel_param_unlock(THIS_MODULE);
	if (queue)
		destroy_workqueue(queue);
	for (i = 0; i < LAB_MAX_PFS && cards[i]; i++)
		lab_card_destroy(cards[i]);
	lab_pf_unregister_driver();
	lab_vf_unregister_driver();
}

static int __init labnic_init(void)
{
	struct lab_card *card;
	int i, err;

	err = check_parameters();
	if (err) {
		pr_err("labnic: the parameters make no card\n");
		return err;
	}
	err = lab_vf_register_driver();
	if (err)
		return err;
	err = lab_pf_register_driver();
	if (err) {
		lab_vf_unregister_driver();
		return err;
	}
	for (i = 0; i < npf / functions; i++) {
		card = lab_card_create(domain[i], numa[i], firstbus + 2 * i, functions, totalvfs);
		if (IS_ERR(card)) {
			remove_all();
			return PTR_ERR(card);
		}
		cards[i] = card;
	}
	for (i = 0; i < npf; i++) {
		pulls[i].pf = i;
		INIT_WORK(&pulls[i].work, pull_work);
	}
	pull_queue = alloc_workqueue("labnic", WQ_UNBOUND, 0);
	if (!pull_queue) {
		remove_all();
		return -ENOMEM;
	}
	return 0;
}

static void __exit labnic_exit(void)
{
	remove_all();
}

module_init(labnic_init);
module_exit(labnic_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("software SR-IOV NIC with vDPA for tests");
