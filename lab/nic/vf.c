// SPDX-License-Identifier: GPL-2.0
/* The driver of the VFs: each one offers to make one vDPA device. */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "labnic.h"

static int vf_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	static const struct vdpa_dev_set_config defaults;
	struct lab_mgmt *mgmt;
	int err;

	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		return err;
	mgmt = kzalloc(sizeof(*mgmt), GFP_KERNEL);
	if (!mgmt)
		return -ENOMEM;
	mgmt->pdev = pdev;
	/* The fault: a device made by the driver, which the netlink family does not show. */
	mgmt->unmanaged = pci_iov_vf_id(pdev) == unmanaged;
	lab_mgmt_init(mgmt);
	if (mgmt->unmanaged)
		err = lab_vdpa_create(mgmt, NULL, &defaults);
	else
		err = vdpa_mgmtdev_register(&mgmt->mgmt);
	if (err) {
		kfree(mgmt);
		return err;
	}
	pci_set_drvdata(pdev, mgmt);
	return 0;
}

static void vf_remove(struct pci_dev *pdev)
{
	struct lab_mgmt *mgmt = pci_get_drvdata(pdev);

	if (mgmt->unmanaged)
		vdpa_unregister_device(&mgmt->vdpa->vdpa);
	else
		vdpa_mgmtdev_unregister(&mgmt->mgmt);
	kfree(mgmt);
}

static const struct pci_device_id vf_ids[] = {
	{ PCI_DEVICE(LAB_VENDOR, LAB_VF_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, vf_ids);

static struct pci_driver vf_driver = {
	.name = "labnic_vf",
	.id_table = vf_ids,
	.probe = vf_probe,
	.remove = vf_remove,
};

int lab_vf_register_driver(void)
{
	return pci_register_driver(&vf_driver);
}

void lab_vf_unregister_driver(void)
{
	pci_unregister_driver(&vf_driver);
}
