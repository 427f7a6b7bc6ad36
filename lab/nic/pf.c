// SPDX-License-Identifier: GPL-2.0
/* The driver of the PFs: the uplink netdev, and SR-IOV with a representor for every VF. */
#include <linux/ethtool.h>
#include <linux/module.h>
#include "labnic.h"

struct lab_uplink {
	struct pci_dev *pdev;
	struct net_device **reps;
	int num_reps;
};

/* Nothing here is random: 32 domains, 8 functions, all buses and VFs have their own addresses. */
void lab_mac(u8 *mac, enum lab_mac_owner owner, struct pci_dev *pf, u8 vf)
{
	mac[0] = owner;
	mac[1] = 0x42;
	mac[2] = 0xa1;
	mac[3] = (pci_domain_nr(pf->bus) & 0x1f) << 3 | PCI_FUNC(pf->devfn);
	mac[4] = pf->bus->number;
	mac[5] = vf;
}

/* Every PF is a switch: its own MAC and two zero octets, a form that real NICs use too. */
int lab_switch_id(struct pci_dev *pf, struct netdev_phys_item_id *id)
{
	memset(id, 0, sizeof(*id));
	lab_mac(id->id, LAB_MAC_PF, pf, 0);
	id->id_len = 8;
	return 0;
}

static netdev_tx_t uplink_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static int uplink_port_name(struct net_device *netdev, char *name, size_t size)
{
	struct lab_uplink *uplink = netdev_priv(netdev);
	int len = snprintf(name, size, "p%d", PCI_FUNC(uplink->pdev->devfn));

	return len < size ? 0 : -EINVAL;
}

static int uplink_parent_id(struct net_device *netdev, struct netdev_phys_item_id *id)
{
	struct lab_uplink *uplink = netdev_priv(netdev);

	if (legacy)
		return -EOPNOTSUPP;
	return lab_switch_id(uplink->pdev, id);
}

static const struct net_device_ops uplink_ops = {
	.ndo_start_xmit = uplink_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_get_phys_port_name = uplink_port_name,
	.ndo_get_port_parent_id = uplink_parent_id,
};

static void uplink_drvinfo(struct net_device *netdev, struct ethtool_drvinfo *info)
{
	struct lab_uplink *uplink = netdev_priv(netdev);

	strscpy(info->driver, "labnic", sizeof(info->driver));
	strscpy(info->bus_info, pci_name(uplink->pdev), sizeof(info->bus_info));
}

static const struct ethtool_ops uplink_ethtool_ops = {
	.get_drvinfo = uplink_drvinfo,
	.get_link = ethtool_op_get_link,
};

static void disable_vfs(struct pci_dev *pdev, struct lab_uplink *uplink)
{
	pci_disable_sriov(pdev);
	lab_reps_destroy(uplink->reps, uplink->num_reps);
	uplink->reps = NULL;
	uplink->num_reps = 0;
}

static int pf_sriov_configure(struct pci_dev *pdev, int num_vfs)
{
	struct lab_uplink *uplink = netdev_priv(pci_get_drvdata(pdev));
	struct net_device **reps;
	int err;

	if (num_vfs == 0) {
		disable_vfs(pdev, uplink);
		return 0;
	}
	/* As on real NICs in switchdev mode: a representor is there before its VF. */
	if (!legacy) {
		reps = lab_reps_create(pdev, num_vfs);
		if (IS_ERR(reps))
			return PTR_ERR(reps);
		uplink->reps = reps;
		uplink->num_reps = num_vfs;
	}
	err = pci_enable_sriov(pdev, num_vfs);
	if (err) {
		disable_vfs(pdev, uplink);
		return err;
	}
	return num_vfs;
}

static void name_uplink(struct net_device *netdev, struct pci_dev *pdev)
{
	int domain = pci_domain_nr(pdev->bus), bus = pdev->bus->number;
	int function = PCI_FUNC(pdev->devfn);

	if (domain)
		snprintf(netdev->name, IFNAMSIZ, "enP%dp%ds0np%d", domain, bus, function);
	else
		snprintf(netdev->name, IFNAMSIZ, "enp%ds0np%d", bus, function);
}

static int pf_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct net_device *netdev;
	struct lab_uplink *uplink;
	u8 mac[ETH_ALEN];
	int err;

	netdev = alloc_etherdev(sizeof(*uplink));
	if (!netdev)
		return -ENOMEM;
	uplink = netdev_priv(netdev);
	uplink->pdev = pdev;
	SET_NETDEV_DEV(netdev, &pdev->dev);
	netdev->netdev_ops = &uplink_ops;
	netdev->ethtool_ops = &uplink_ethtool_ops;
	lab_mac(mac, LAB_MAC_PF, pdev, 0);
	eth_hw_addr_set(netdev, mac);
	name_uplink(netdev, pdev);
	pci_set_drvdata(pdev, netdev);
	err = register_netdev(netdev);
	if (err)
		free_netdev(netdev);
	return err;
}

static void pf_remove(struct pci_dev *pdev)
{
	struct net_device *netdev = pci_get_drvdata(pdev);

	disable_vfs(pdev, netdev_priv(netdev));
	unregister_netdev(netdev);
	free_netdev(netdev);
}

static const struct pci_device_id pf_ids[] = {
	{ PCI_DEVICE(LAB_VENDOR, LAB_PF_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, pf_ids);

static struct pci_driver pf_driver = {
	.name = "labnic",
	.id_table = pf_ids,
	.probe = pf_probe,
	.remove = pf_remove,
	.sriov_configure = pf_sriov_configure,
};

int lab_pf_register_driver(void)
{
	return pci_register_driver(&pf_driver);
}

void lab_pf_unregister_driver(void)
{
	pci_unregister_driver(&pf_driver);
}
