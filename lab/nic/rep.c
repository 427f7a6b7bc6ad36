// SPDX-License-Identifier: GPL-2.0
/*
 * The representors of the VFs: netdevs of the PF's PCI device, so that the PF's net/ folder holds
 * the uplink and all of them. Only phys_port_name and phys_switch_id tell which is whose.
 */
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "labnic.h"

struct lab_rep {
	struct pci_dev *pf;
	int vf;
};

static netdev_tx_t rep_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static int rep_port_name(struct net_device *netdev, char *name, size_t size)
{
	struct lab_rep *rep = netdev_priv(netdev);
	int len = snprintf(name, size, "pf%dvf%d", PCI_FUNC(rep->pf->devfn), rep->vf);

	return len < size ? 0 : -EINVAL;
}

static int rep_parent_id(struct net_device *netdev, struct netdev_phys_item_id *id)
{
	struct lab_rep *rep = netdev_priv(netdev);

	return lab_switch_id(rep->pf, id);
}

static const struct net_device_ops rep_ops = {
	.ndo_start_xmit = rep_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_get_phys_port_name = rep_port_name,
	.ndo_get_port_parent_id = rep_parent_id,
};

/*
 * enp17s0pf0vf3, or with a domain enP1p17s0pf0vf3. A name of 16 characters is too long, as it can
 * be for udev's rules on a real host: then the kernel numbers the netdev.
 */
static void name_rep(struct net_device *netdev, struct lab_rep *rep)
{
	int domain = pci_domain_nr(rep->pf->bus), bus = rep->pf->bus->number;
	int function = PCI_FUNC(rep->pf->devfn);
	char name[48];

	if (domain)
		snprintf(name, sizeof(name), "enP%dp%ds0pf%dvf%d", domain, bus, function, rep->vf);
	else
		snprintf(name, sizeof(name), "enp%ds0pf%dvf%d", bus, function, rep->vf);
	strscpy(netdev->name, strlen(name) < IFNAMSIZ ? name : "eth%d", IFNAMSIZ);
}

static struct net_device *rep_create(struct pci_dev *pf, int vf)
{
	struct net_device *netdev = alloc_etherdev(sizeof(struct lab_rep));
	struct lab_rep *rep;
	u8 mac[ETH_ALEN];
	int err;

	if (!netdev)
		return ERR_PTR(-ENOMEM);
	rep = netdev_priv(netdev);
	rep->pf = pf;
	rep->vf = vf;
	SET_NETDEV_DEV(netdev, &pf->dev);
	netdev->netdev_ops = &rep_ops;
	lab_mac(mac, LAB_MAC_REP, pf, vf);
	eth_hw_addr_set(netdev, mac);
	name_rep(netdev, rep);
	err = register_netdev(netdev);
	if (err) {
		free_netdev(netdev);
		return ERR_PTR(err);
	}
	return netdev;
}

struct net_device **lab_reps_create(struct pci_dev *pf, int num_vfs)
{
	struct net_device **reps = kcalloc(num_vfs, sizeof(*reps), GFP_KERNEL);
	int i, err;

	if (!reps)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < num_vfs; i++) {
		reps[i] = rep_create(pf, i);
		if (IS_ERR(reps[i])) {
			err = PTR_ERR(reps[i]);
			lab_reps_destroy(reps, i);
			return ERR_PTR(err);
		}
	}
	return reps;
}

/* All at once: one wait for the readers of the network core instead of one for each. */
void lab_reps_destroy(struct net_device **reps, int num_vfs)
{
	LIST_HEAD(list);
	int i;

	rtnl_lock();
	for (i = 0; i < num_vfs; i++)
		unregister_netdevice_queue(reps[i], &list);
	unregister_netdevice_many(&list);
	rtnl_unlock();
	for (i = 0; i < num_vfs; i++)
		free_netdev(reps[i]);
	kfree(reps);
}
