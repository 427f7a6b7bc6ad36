/* SPDX-License-Identifier: GPL-2.0 */
/*
 * labnic - an SR-IOV NIC with vDPA that is all software, for tests of the control plane.
 *
 * A card is a PCI host bridge whose config space lives in memory: a root port and below it one or
 * more PFs and their VFs. Everything above config space is the kernel's own: enumeration, sysfs,
 * SR-IOV, driver binding, uevents, hotplug.
 *
 *	card.c		host bridges; surprise removal and return of a PF
 *	config.c	the emulated config space
 *	pf.c		driver "labnic" of the PFs: uplink netdev, sriov_configure
 *	rep.c		representor netdevs of the VFs
 *	vf.c		driver "labnic_vf" of the VFs: a vDPA management device each
 *	mgmt.c		making and deleting vDPA devices
 *	vdpa.c		what a vDPA device answers
 */
#ifndef LABNIC_H
#define LABNIC_H

#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/vdpa.h>
#include <linux/virtio_net.h>
#include <uapi/linux/virtio_net.h>

#define LAB_MAX_PFS		32
#define LAB_MAX_FUNCTIONS	8
#define LAB_VENDOR		0x15b3
#define LAB_PF_DEVICE		0x101d
#define LAB_VF_DEVICE		0x101e

/* The first octet of a MAC says what it belongs to; all but the PF's are locally administered. */
enum lab_mac_owner {
	LAB_MAC_VDPA = 0x02,
	LAB_MAC_PF = 0x0c,
	LAB_MAC_REP = 0x0e,
};

/* Config space of one function: the header, PCIe, and the extended ARI and SR-IOV capabilities. */
struct lab_function {
	u8 bytes[512];
};

/* Vital product data: the card's name, its serial number and a check sum. */
struct lab_vpd {
	u8 bytes[64];
};

struct lab_pf {
	struct lab_function config;
	struct lab_vpd vpd;
	struct lab_function *vfs;
	bool gone;			/* pulled out: all reads are ones */
};

struct lab_card {
#ifdef CONFIG_X86
	/* First: x86 takes bus->sysdata for this, and the domain and the NUMA node from it. */
	struct pci_sysdata sysdata;
#endif
	struct pci_host_bridge *bridge;
	struct resource buses;
	raw_spinlock_t lock;		/* the config space of all functions */
	int domain;
	u8 bus;				/* of the root port; the functions are on the next */
	int num_pfs;
	int num_vfs;			/* of each PF */
	struct lab_function port;
	struct lab_pf pfs[];
};

struct lab_vdpa;

/* What a VF's driver keeps. */
struct lab_mgmt {
	struct vdpa_mgmt_dev mgmt;
	struct pci_dev *pdev;
	struct lab_vdpa *vdpa;		/* its only device, if there is one */
	bool unmanaged;			/* vdpa was made by the driver, and there is no mgmt */
};

struct lab_queue {
	struct vdpa_vq_state state;
	u64 kicks;
	bool ready;
};

struct lab_vdpa {
	struct vdpa_device vdpa;
	struct lab_mgmt *mgmt;
	struct virtio_net_config config;
	struct lab_queue *queues;
	u32 num_queues;			/* with the control queue */
	u32 generation;
	u64 features;
	u64 driver_features;
	u8 status;
};

static inline struct lab_vdpa *to_lab_vdpa(struct vdpa_device *vdpa)
{
	return container_of(vdpa, struct lab_vdpa, vdpa);
}

/* main.c: module parameters that act at run time */
extern int max_vqs;
extern unsigned int add_delay_ms;
extern int add_error;
extern unsigned int del_delay_ms;
extern unsigned int config_delay_ms;
extern int link_down;
extern int unmanaged;
extern int legacy;

/* Sleeps for that long, or until the parameter becomes 0. */
void lab_delay(const unsigned int *delay_ms);

/* card.c */
struct lab_card *lab_card_create(int domain, int node, u8 bus, int num_pfs, int num_vfs);
void lab_card_destroy(struct lab_card *card);
void lab_card_pull(struct lab_card *card, int pf);
void lab_card_return(struct lab_card *card, int pf);

/* config.c */
extern struct pci_ops lab_config_ops;
void lab_config_reset_port(struct lab_card *card);
void lab_config_reset_pf(struct lab_card *card, int pf);

/* pf.c */
int lab_pf_register_driver(void);
void lab_pf_unregister_driver(void);
void lab_mac(u8 *mac, enum lab_mac_owner owner, struct pci_dev *pf, u8 vf);
int lab_switch_id(struct pci_dev *pf, struct netdev_phys_item_id *id);

/* rep.c */
struct net_device **lab_reps_create(struct pci_dev *pf, int num_vfs);
void lab_reps_destroy(struct net_device **reps, int num_vfs);

/* vf.c */
int lab_vf_register_driver(void);
void lab_vf_unregister_driver(void);

/* vdpa.c */
extern const struct vdpa_config_ops lab_vdpa_ops;

/* mgmt.c */
void lab_mgmt_init(struct lab_mgmt *mgmt);
int lab_vdpa_create(struct lab_mgmt *mgmt, const char *name,
		    const struct vdpa_dev_set_config *config);

#endif /* LABNIC_H */
