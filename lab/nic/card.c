// SPDX-License-Identifier: GPL-2.0
/* A card: a host bridge of its own with emulated config space. */
#include <linux/slab.h>
#include "labnic.h"

static void free_card(struct lab_card *card)
{
	int i;

	for (i = 0; i < card->num_pfs; i++)
		kvfree(card->pfs[i].vfs);
	kfree(card);
}

static struct lab_card *alloc_card(int num_pfs, int num_vfs)
{
	struct lab_card *card = kzalloc(struct_size(card, pfs, num_pfs), GFP_KERNEL);
	int i;

	if (!card)
		return NULL;
	raw_spin_lock_init(&card->lock);
	card->num_pfs = num_pfs;
	card->num_vfs = num_vfs;
	for (i = 0; i < num_pfs; i++) {
		card->pfs[i].vfs = kvcalloc(num_vfs, sizeof(struct lab_function), GFP_KERNEL);
		if (!card->pfs[i].vfs) {
			free_card(card);
			return NULL;
		}
	}
	return card;
}

static void set_place(struct lab_card *card, int domain, int node)
{
	card->domain = domain;
#ifdef CONFIG_X86
	card->sysdata.domain = domain;
	card->sysdata.node = node;
#endif
#ifdef CONFIG_PCI_DOMAINS_GENERIC
	card->bridge->domain_nr = domain;
#endif
}

struct lab_card *lab_card_create(int domain, int node, u8 bus, int num_pfs, int num_vfs)
{
	struct lab_card *card = alloc_card(num_pfs, num_vfs);
	int i, err;

	if (!card)
		return ERR_PTR(-ENOMEM);
	card->bridge = pci_alloc_host_bridge(0);
	if (!card->bridge) {
		free_card(card);
		return ERR_PTR(-ENOMEM);
	}
	card->bus = bus;
	set_place(card, domain, node);
	lab_config_reset_port(card);
	for (i = 0; i < num_pfs; i++)
		lab_config_reset_pf(card, i);
	card->buses = (struct resource){
		.name = "labnic buses", .start = bus, .end = bus + 1, .flags = IORESOURCE_BUS,
	};
	pci_add_resource(&card->bridge->windows, &card->buses);
	card->bridge->busnr = bus;
	card->bridge->sysdata = card;
	card->bridge->ops = &lab_config_ops;
	err = pci_host_probe(card->bridge);
	if (err) {
		pci_free_host_bridge(card->bridge);
		free_card(card);
		return ERR_PTR(err);
	}
	return card;
}

void lab_card_destroy(struct lab_card *card)
{
	struct pci_bus *root = card->bridge->bus;

	pci_lock_rescan_remove();
	pci_stop_root_bus(root);
	pci_remove_root_bus(root);
	pci_unlock_rescan_remove();
	free_card(card);
}

static void set_gone(struct lab_card *card, int pf, bool gone)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&card->lock, flags);
	/* What comes back has lost its state; what never left keeps it. */
	if (!gone && card->pfs[pf].gone)
		lab_config_reset_pf(card, pf);
	card->pfs[pf].gone = gone;
	raw_spin_unlock_irqrestore(&card->lock, flags);
}

/* Drivers may ask whether the hardware still answers; the hotplug core tells them so. */
static int mark_disconnected(struct pci_dev *pdev, void *pf)
{
	if (pci_physfn(pdev) == pf)
		WRITE_ONCE(pdev->error_state, pci_channel_io_perm_failure);
	return 0;
}

/* What a hotplug controller does when the link is down: the device is gone before its driver. */
void lab_card_pull(struct lab_card *card, int pf)
{
	struct pci_bus *bus;
	struct pci_dev *pdev;

	set_gone(card, pf, true);
	pci_lock_rescan_remove();
	bus = pci_find_bus(card->domain, card->port.bytes[PCI_SECONDARY_BUS]);
	pdev = bus ? pci_get_slot(bus, pf) : NULL;
	if (pdev) {
		pci_walk_bus(bus, mark_disconnected, pdev);
		pci_stop_and_remove_bus_device(pdev);
		pci_dev_put(pdev);
	}
	pci_unlock_rescan_remove();
}

/* The function answers again; it is for a rescan to find it. */
void lab_card_return(struct lab_card *card, int pf)
{
	set_gone(card, pf, false);
}
