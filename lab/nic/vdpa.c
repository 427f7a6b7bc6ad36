// SPDX-License-Identifier: GPL-2.0
/*
 * The vDPA device of a VF. It has no data path: rings are accepted and never served. What it
 * answers to the control plane, and which requests it refuses how, is modelled on mlx5_vdpa.
 */
#include <linux/slab.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <net/netlink.h>
#include <uapi/linux/vdpa.h>
#include <uapi/linux/virtio_net.h>
#include "labnic.h"

#define QUEUE_SIZE	256

/* ---- queues ---- */

static int set_vq_address(struct vdpa_device *vdpa, u16 idx, u64 desc, u64 driver, u64 device)
{
	return 0;
}

static void set_vq_num(struct vdpa_device *vdpa, u16 idx, u32 num)
{
}

static void kick_vq(struct vdpa_device *vdpa, u16 idx)
{
	to_lab_vdpa(vdpa)->queues[idx].kicks++;
}

static void set_vq_cb(struct vdpa_device *vdpa, u16 idx, struct vdpa_callback *cb)
{
}

static void set_vq_ready(struct vdpa_device *vdpa, u16 idx, bool ready)
{
	to_lab_vdpa(vdpa)->queues[idx].ready = ready;
}

static bool get_vq_ready(struct vdpa_device *vdpa, u16 idx)
{
	return to_lab_vdpa(vdpa)->queues[idx].ready;
}

static int set_vq_state(struct vdpa_device *vdpa, u16 idx, const struct vdpa_vq_state *state)
{
	to_lab_vdpa(vdpa)->queues[idx].state = *state;
	return 0;
}

static int get_vq_state(struct vdpa_device *vdpa, u16 idx, struct vdpa_vq_state *state)
{
	*state = to_lab_vdpa(vdpa)->queues[idx].state;
	return 0;
}

/* Numbers that tell the queues and the counters apart in a test. */
static int get_vendor_vq_stats(struct vdpa_device *vdpa, u16 idx, struct sk_buff *msg,
			       struct netlink_ext_ack *extack)
{
	struct lab_vdpa *lab = to_lab_vdpa(vdpa);
	u64 received;

	if (idx >= lab->num_queues) {
		NL_SET_ERR_MSG_MOD(extack, "virtqueue index is not valid");
		return -EINVAL;
	}
	received = 1000 + idx + lab->queues[idx].kicks;
	if (nla_put_string(msg, VDPA_ATTR_DEV_VENDOR_ATTR_NAME, "received_desc") ||
	    nla_put_u64_64bit(msg, VDPA_ATTR_DEV_VENDOR_ATTR_VALUE, received, VDPA_ATTR_PAD) ||
	    nla_put_string(msg, VDPA_ATTR_DEV_VENDOR_ATTR_NAME, "completed_desc") ||
	    nla_put_u64_64bit(msg, VDPA_ATTR_DEV_VENDOR_ATTR_VALUE, 900 + idx, VDPA_ATTR_PAD))
		return -EMSGSIZE;
	return 0;
}

static u32 get_vq_align(struct vdpa_device *vdpa)
{
	return PAGE_SIZE;
}

static u32 get_vq_group(struct vdpa_device *vdpa, u16 idx)
{
	return 0;
}

static u16 get_vq_num_max(struct vdpa_device *vdpa)
{
	return QUEUE_SIZE;
}

/* ---- device ---- */

/*
 * Nobody serves this NIC's queues. virtio-net as the host's own driver waits
 * for the control queue without end, so virtio_vdpa is not offered one.
 */
static u64 get_device_features(struct vdpa_device *vdpa)
{
	const struct device_driver *driver = vdpa->dev.driver;
	u64 features = to_lab_vdpa(vdpa)->features;

	if (driver && !strcmp(driver->name, "virtio_vdpa"))
		features &= ~(BIT_ULL(VIRTIO_NET_F_CTRL_VQ) |
			      BIT_ULL(VIRTIO_NET_F_MQ) |
			      BIT_ULL(VIRTIO_NET_F_CTRL_VLAN) |
			      BIT_ULL(VIRTIO_NET_F_CTRL_MAC_ADDR));
	return features;
}

static int set_driver_features(struct vdpa_device *vdpa, u64 features)
{
	if (!(features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)))
		return -EOPNOTSUPP;
	to_lab_vdpa(vdpa)->driver_features = features & to_lab_vdpa(vdpa)->features;
	return 0;
}

static u64 get_driver_features(struct vdpa_device *vdpa)
{
	return to_lab_vdpa(vdpa)->driver_features;
}

static void set_config_cb(struct vdpa_device *vdpa, struct vdpa_callback *cb)
{
}

static u32 get_device_id(struct vdpa_device *vdpa)
{
	return VIRTIO_ID_NET;
}

static u32 get_vendor_id(struct vdpa_device *vdpa)
{
	return LAB_VENDOR;
}

static u8 get_status(struct vdpa_device *vdpa)
{
	return to_lab_vdpa(vdpa)->status;
}

static void set_status(struct vdpa_device *vdpa, u8 status)
{
	to_lab_vdpa(vdpa)->status = status;
}

static int reset(struct vdpa_device *vdpa)
{
	struct lab_vdpa *lab = to_lab_vdpa(vdpa);

	lab->status = 0;
	lab->driver_features = 0;
	memset(lab->queues, 0, lab->num_queues * sizeof(*lab->queues));
	lab->generation++;
	return 0;
}

static size_t get_config_size(struct vdpa_device *vdpa)
{
	return sizeof(struct virtio_net_config);
}

static void get_config(struct vdpa_device *vdpa, unsigned int offset, void *buf, unsigned int len)
{
	struct lab_vdpa *lab = to_lab_vdpa(vdpa);
	struct virtio_net_config config = lab->config;

	lab_delay(&config_delay_ms);
	if (pci_iov_vf_id(lab->mgmt->pdev) == link_down)
		config.status &= ~cpu_to_le16(VIRTIO_NET_S_LINK_UP);
	if (offset + len <= sizeof(config))
		memcpy(buf, (u8 *)&config + offset, len);
}

static void set_config(struct vdpa_device *vdpa, unsigned int offset, const void *buf,
		       unsigned int len)
{
}

static u32 get_generation(struct vdpa_device *vdpa)
{
	return to_lab_vdpa(vdpa)->generation;
}

static int set_map(struct vdpa_device *vdpa, unsigned int asid, struct vhost_iotlb *iotlb)
{
	return 0;
}

static void release(struct vdpa_device *vdpa)
{
	kfree(to_lab_vdpa(vdpa)->queues);
}

const struct vdpa_config_ops lab_vdpa_ops = {
	.set_vq_address = set_vq_address,
	.set_vq_num = set_vq_num,
	.kick_vq = kick_vq,
	.set_vq_cb = set_vq_cb,
	.set_vq_ready = set_vq_ready,
	.get_vq_ready = get_vq_ready,
	.set_vq_state = set_vq_state,
	.get_vq_state = get_vq_state,
	.get_vendor_vq_stats = get_vendor_vq_stats,
	.get_vq_align = get_vq_align,
	.get_vq_group = get_vq_group,
	.get_vq_num_max = get_vq_num_max,
	.get_device_features = get_device_features,
	.set_driver_features = set_driver_features,
	.get_driver_features = get_driver_features,
	.set_config_cb = set_config_cb,
	.get_device_id = get_device_id,
	.get_vendor_id = get_vendor_id,
	.get_status = get_status,
	.set_status = set_status,
	.reset = reset,
	.get_config_size = get_config_size,
	.get_config = get_config,
	.set_config = set_config,
	.get_generation = get_generation,
	.set_map = set_map,
	.free = release,
};
