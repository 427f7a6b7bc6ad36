// SPDX-License-Identifier: GPL-2.0
/* Making and deleting the vDPA device of a VF; refusals are those of mlx5_vdpa. */
#include <linux/slab.h>
#include <linux/virtio_ids.h>
#include <uapi/linux/vdpa.h>
#include "labnic.h"

#define DEFAULT_PAIRS	1
#define DEFAULT_MTU	1500

/* The features of a new device, or an error as mlx5_vdpa would give it. */
static int choose_features(const struct vdpa_mgmt_dev *mgmt,
			   const struct vdpa_dev_set_config *config, u64 *features)
{
	u64 needed = BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);

	*features = mgmt->supported_features;
	if (config->mask & BIT_ULL(VDPA_ATTR_DEV_FEATURES)) {
		if (config->device_features & ~*features)
			return -EINVAL;
		*features &= config->device_features;
	} else {
		*features &= ~BIT_ULL(VIRTIO_NET_F_MRG_RXBUF);
	}
	return (*features & needed) == needed ? 0 : -EOPNOTSUPP;
}

static void fill_config(struct lab_vdpa *lab, const struct vdpa_dev_set_config *config, u32 pairs)
{
	struct pci_dev *pdev = lab->mgmt->pdev;
	u16 mtu = DEFAULT_MTU;

	if (config->mask & BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MTU))
		mtu = config->net.mtu;
	lab->config.mtu = cpu_to_le16(mtu);
	lab->config.status = cpu_to_le16(VIRTIO_NET_S_LINK_UP);
	lab->config.max_virtqueue_pairs = cpu_to_le16(pairs);
	if (config->mask & BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MACADDR))
		memcpy(lab->config.mac, config->net.mac, ETH_ALEN);
	else
		lab_mac(lab->config.mac, LAB_MAC_VDPA, pci_physfn(pdev), pci_iov_vf_id(pdev));
}

/* Make and register the device of a VF; managed devices under the core's lock, others without. */
int lab_vdpa_create(struct lab_mgmt *mgmt, const char *name,
		    const struct vdpa_dev_set_config *config)
{
	struct lab_vdpa *lab;
	u32 pairs = DEFAULT_PAIRS;
	u64 features;
	int err;

	err = choose_features(&mgmt->mgmt, config, &features);
	if (err)
		return err;
	if (config->mask & BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MAX_VQP)) {
		if (config->net.max_vq_pairs > max_vqs / 2)
			return -EINVAL;
		pairs = config->net.max_vq_pairs;
	}
	lab = vdpa_alloc_device(struct lab_vdpa, vdpa, &mgmt->pdev->dev, &lab_vdpa_ops, 1, 1, name,
				false);
	if (IS_ERR(lab))
		return PTR_ERR(lab);
	lab->mgmt = mgmt;
	lab->features = features;
	lab->num_queues = 2 * pairs + 1;
	lab->vdpa.dma_dev = &mgmt->pdev->dev;
	fill_config(lab, config, pairs);
	lab->queues = kcalloc(lab->num_queues, sizeof(*lab->queues), GFP_KERNEL);
	if (!lab->queues) {
		err = -ENOMEM;
	} else if (mgmt->unmanaged) {
		err = vdpa_register_device(&lab->vdpa, lab->num_queues);
	} else {
		lab->vdpa.mdev = &mgmt->mgmt;
		err = _vdpa_register_device(&lab->vdpa, lab->num_queues);
	}
	if (err) {
		put_device(&lab->vdpa.dev);
		return err;
	}
	mgmt->vdpa = lab;
	return 0;
}

static int dev_add(struct vdpa_mgmt_dev *mdev, const char *name,
		   const struct vdpa_dev_set_config *config)
{
	struct lab_mgmt *mgmt = container_of(mdev, struct lab_mgmt, mgmt);

	if (mgmt->vdpa)
		return -ENOSPC;
	lab_delay(&add_delay_ms);
	if (add_error)
		return -abs(add_error);
	return lab_vdpa_create(mgmt, name, config);
}

static void dev_del(struct vdpa_mgmt_dev *mdev, struct vdpa_device *vdpa)
{
	struct lab_mgmt *mgmt = container_of(mdev, struct lab_mgmt, mgmt);

	lab_delay(&del_delay_ms);
	_vdpa_unregister_device(vdpa);
	mgmt->vdpa = NULL;
}

static int dev_set_attr(struct vdpa_mgmt_dev *mdev, struct vdpa_device *vdpa,
			const struct vdpa_dev_set_config *config)
{
	struct lab_vdpa *lab = to_lab_vdpa(vdpa);

	if (!(config->mask & BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MACADDR)))
		return -EOPNOTSUPP;
	memcpy(lab->config.mac, config->net.mac, ETH_ALEN);
	return 0;
}

static const struct vdpa_mgmtdev_ops mgmt_ops = {
	.dev_add = dev_add,
	.dev_del = dev_del,
	.dev_set_attr = dev_set_attr,
};

/* Not const: the core's pointer to it is not. */
static struct virtio_device_id net_ids[] = {
	{ VIRTIO_ID_NET, VIRTIO_DEV_ANY_ID },
	{ }
};

void lab_mgmt_init(struct lab_mgmt *mgmt)
{
	mgmt->mgmt.device = &mgmt->pdev->dev;
	mgmt->mgmt.ops = &mgmt_ops;
	mgmt->mgmt.id_table = net_ids;
	mgmt->mgmt.config_attr_mask = BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MACADDR) |
				      BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MAX_VQP) |
				      BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MTU) |
				      BIT_ULL(VDPA_ATTR_DEV_FEATURES);
	mgmt->mgmt.max_supported_vqs = max_vqs + 1;
	mgmt->mgmt.supported_features =
		BIT_ULL(VIRTIO_NET_F_CSUM) | BIT_ULL(VIRTIO_NET_F_GUEST_CSUM) |
		BIT_ULL(VIRTIO_NET_F_MTU) | BIT_ULL(VIRTIO_NET_F_MAC) |
		BIT_ULL(VIRTIO_NET_F_HOST_TSO4) | BIT_ULL(VIRTIO_NET_F_HOST_TSO6) |
		BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) | BIT_ULL(VIRTIO_NET_F_STATUS) |
		BIT_ULL(VIRTIO_NET_F_CTRL_VQ) | BIT_ULL(VIRTIO_NET_F_CTRL_VLAN) |
		BIT_ULL(VIRTIO_NET_F_MQ) | BIT_ULL(VIRTIO_NET_F_CTRL_MAC_ADDR) |
		BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
}
