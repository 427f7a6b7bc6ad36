// SPDX-License-Identifier: GPL-2.0
/* The config space of a card's functions, in memory. */
#include <linux/unaligned.h>
#include "labnic.h"

#define CAP_PCIE	0x40
#define CAP_VPD		0x80		/* of the PFs */
#define VPD_END		0x78
#define CAP_ACS		0x100		/* of the port */
#define CAP_ARI		0x100		/* of the functions */
#define CAP_SRIOV	0x160

#define PORT_VENDOR	0x1b36
#define PORT_DEVICE	0x000c
#define SUBSYSTEM	0x0016
#define REVISION	0x01
#define PAGE_SIZES	0x553		/* as the specification demands: 4K to 4M */
#define ACS_FLAGS	(PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF)

static void set16(struct lab_function *f, int offset, u16 value)
{
	put_unaligned_le16(value, f->bytes + offset);
}

static void set32(struct lab_function *f, int offset, u32 value)
{
	put_unaligned_le32(value, f->bytes + offset);
}

static u16 get16(const struct lab_function *f, int offset)
{
	return get_unaligned_le16(f->bytes + offset);
}

static void reset_pcie(struct lab_function *f, int type)
{
	bool port = type == PCI_EXP_TYPE_ROOT_PORT;

	set16(f, PCI_STATUS, PCI_STATUS_CAP_LIST);
	f->bytes[PCI_CAPABILITY_LIST] = CAP_PCIE;
	f->bytes[CAP_PCIE] = PCI_CAP_ID_EXP;
	set16(f, CAP_PCIE + PCI_EXP_FLAGS, 2 | type << 4);
	set32(f, CAP_PCIE + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER | (port ? 0 : PCI_EXP_DEVCAP_FLR));
	set32(f, CAP_PCIE + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_16_0GB | 16 << 4);
	set16(f, CAP_PCIE + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_CLS_16_0GB | 16 << 4);
	/* Without ARI on the port a bus has 8 functions, and no room for VFs. */
	set32(f, CAP_PCIE + PCI_EXP_DEVCAP2, port ? PCI_EXP_DEVCAP2_ARI : 0);
}

static void reset_endpoint(struct lab_function *f, u16 vendor, u16 device)
{
	memset(f, 0, sizeof(*f));
	set16(f, PCI_VENDOR_ID, vendor);
	set16(f, PCI_DEVICE_ID, device);
	set32(f, PCI_CLASS_REVISION, PCI_CLASS_NETWORK_ETHERNET << 16 | REVISION);
	set16(f, PCI_SUBSYSTEM_VENDOR_ID, LAB_VENDOR);
	set16(f, PCI_SUBSYSTEM_ID, SUBSYSTEM);
	reset_pcie(f, PCI_EXP_TYPE_ENDPOINT);
}

static u8 *put_text(u8 *at, const char *text)
{
	size_t length = strlen(text);

	memcpy(at, text, length);
	return at + length;
}

static void reset_vpd(const struct lab_card *card, struct lab_pf *pf)
{
	struct lab_function *f = &pf->config;
	u8 *at = pf->vpd.bytes;
	char serial[16];
	u8 sum = 0;
	u8 *part;
	u8 *byte;

	f->bytes[CAP_PCIE + PCI_CAP_LIST_NEXT] = CAP_VPD;
	f->bytes[CAP_VPD] = PCI_CAP_ID_VPD;
	snprintf(serial, sizeof(serial), "LAB%04x%02x", card->domain & 0xffff, card->bus);
	memset(&pf->vpd, 0, sizeof(pf->vpd));
	*at++ = PCI_VPD_LRDT_ID_STRING;
	put_unaligned_le16(strlen("labnic"), at);
	at = put_text(at + 2, "labnic");
	*at++ = PCI_VPD_LRDT_RO_DATA;
	part = at;
	at = put_text(at + 2, "SN");
	*at++ = strlen(serial);
	at = put_text(at, serial);
	at = put_text(at, "RV");
	*at++ = 1;
	for (byte = pf->vpd.bytes; byte < at; byte++)
		sum += *byte;
	/* The part's own length belongs to the sum as well. */
	put_unaligned_le16(at + 1 - (part + 2), part);
	sum += part[0] + part[1];
	*at++ = -sum;
	*at = VPD_END;
}

/* An address was written: the four bytes there are to be read, or have been written, which changes nothing. */
static void access_vpd(struct lab_pf *pf)
{
	u16 address = get16(&pf->config, CAP_VPD + PCI_VPD_ADDR);
	u16 place = address & PCI_VPD_ADDR_MASK;
	int i;

	if (!(address & PCI_VPD_ADDR_F))
		for (i = 0; i < 4; i++)
			pf->config.bytes[CAP_VPD + PCI_VPD_DATA + i] =
				place + i < sizeof(pf->vpd.bytes) ? pf->vpd.bytes[place + i] : 0;
	set16(&pf->config, CAP_VPD + PCI_VPD_ADDR, address ^ PCI_VPD_ADDR_F);
}

void lab_config_reset_port(struct lab_card *card)
{
	struct lab_function *f = &card->port;

	set16(f, PCI_VENDOR_ID, PORT_VENDOR);
	set16(f, PCI_DEVICE_ID, PORT_DEVICE);
	set32(f, PCI_CLASS_REVISION, PCI_CLASS_BRIDGE_PCI_NORMAL << 8);
	f->bytes[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
	f->bytes[PCI_PRIMARY_BUS] = card->bus;
	f->bytes[PCI_SECONDARY_BUS] = card->bus + 1;
	f->bytes[PCI_SUBORDINATE_BUS] = card->bus + 1;
	/* A window whose base is above its limit is closed: no function has memory. */
	set16(f, PCI_MEMORY_BASE, 0xfff0);
	set16(f, PCI_MEMORY_LIMIT, 0);
	reset_pcie(f, PCI_EXP_TYPE_ROOT_PORT);
	/* With it every function is an IOMMU group of its own, where there is an IOMMU. */
	set32(f, CAP_ACS, PCI_EXT_CAP_ID_ACS | 1 << 16);
	set16(f, CAP_ACS + PCI_ACS_CAP, ACS_FLAGS);
}

/* PF and VFs as after power-on. The functions: first all PFs, then the VFs, PF by PF. */
void lab_config_reset_pf(struct lab_card *card, int pf)
{
	struct lab_function *f = &card->pfs[pf].config;
	int first_vf = card->num_pfs + pf * card->num_vfs;
	bool last = pf == card->num_pfs - 1;
	int i;

	reset_endpoint(f, LAB_VENDOR, LAB_PF_DEVICE);
	if (card->num_pfs > 1)
		f->bytes[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_MFD;
	reset_vpd(card, &card->pfs[pf]);
	set32(f, CAP_ARI, PCI_EXT_CAP_ID_ARI | 1 << 16 | CAP_SRIOV << 20);
	set16(f, CAP_ARI + PCI_ARI_CAP, last ? 0 : (pf + 1) << 8);
	set32(f, CAP_SRIOV, PCI_EXT_CAP_ID_SRIOV | 1 << 16);
	set16(f, CAP_SRIOV + PCI_SRIOV_INITIAL_VF, card->num_vfs);
	set16(f, CAP_SRIOV + PCI_SRIOV_TOTAL_VF, card->num_vfs);
	f->bytes[CAP_SRIOV + PCI_SRIOV_FUNC_LINK] = pf;
	set16(f, CAP_SRIOV + PCI_SRIOV_VF_OFFSET, first_vf - pf);
	set16(f, CAP_SRIOV + PCI_SRIOV_VF_STRIDE, 1);
	set16(f, CAP_SRIOV + PCI_SRIOV_VF_DID, LAB_VF_DEVICE);
	set32(f, CAP_SRIOV + PCI_SRIOV_SUP_PGSIZE, PAGE_SIZES);
	set32(f, CAP_SRIOV + PCI_SRIOV_SYS_PGSIZE, 1);
	for (i = 0; i < card->num_vfs; i++) {
		f = &card->pfs[pf].vfs[i];
		/* A VF's own ids read as ones; the core takes them from the PF's capability. */
		reset_endpoint(f, 0xffff, 0xffff);
		set32(f, CAP_ARI, PCI_EXT_CAP_ID_ARI | 1 << 16);
	}
}

static bool vf_enabled(const struct lab_pf *pf, int vf)
{
	return get16(&pf->config, CAP_SRIOV + PCI_SRIOV_CTRL) & PCI_SRIOV_CTRL_VFE &&
	       vf < get16(&pf->config, CAP_SRIOV + PCI_SRIOV_NUM_VF);
}

/* The function at an address, or NULL: nothing answers there (now). */
static struct lab_function *find(struct lab_card *card, u8 bus, unsigned int devfn)
{
	struct lab_pf *pf;
	int vf;

	if (bus == card->bus)
		return devfn ? NULL : &card->port;
	if (bus != card->port.bytes[PCI_SECONDARY_BUS])
		return NULL;
	if (devfn < card->num_pfs) {
		pf = &card->pfs[devfn];
		return pf->gone ? NULL : &pf->config;
	}
	vf = devfn - card->num_pfs;
	if (vf >= card->num_pfs * card->num_vfs)
		return NULL;
	pf = &card->pfs[vf / card->num_vfs];
	vf %= card->num_vfs;
	return !pf->gone && vf_enabled(pf, vf) ? &pf->vfs[vf] : NULL;
}

static bool is_pf(const struct lab_card *card, const struct lab_function *f)
{
	int i;

	for (i = 0; i < card->num_pfs; i++)
		if (f == &card->pfs[i].config)
			return true;
	return false;
}

static bool writable(const struct lab_card *card, const struct lab_function *f, int offset)
{
	switch (offset) {
	case PCI_COMMAND:
	case PCI_COMMAND + 1:
	case PCI_CACHE_LINE_SIZE:
	case PCI_LATENCY_TIMER:
	case PCI_INTERRUPT_LINE:
	case CAP_PCIE + PCI_EXP_DEVCTL:
	case CAP_PCIE + PCI_EXP_LNKCTL:
	case CAP_PCIE + PCI_EXP_DEVCTL2:
		return true;
	case PCI_PRIMARY_BUS:
	case PCI_SECONDARY_BUS:
	case PCI_SUBORDINATE_BUS:
	case CAP_ACS + PCI_ACS_CTRL:
		return f == &card->port;
	case CAP_VPD + PCI_VPD_ADDR:
	case CAP_VPD + PCI_VPD_ADDR + 1:
	case CAP_SRIOV + PCI_SRIOV_CTRL:
	case CAP_SRIOV + PCI_SRIOV_NUM_VF:
	case CAP_SRIOV + PCI_SRIOV_NUM_VF + 1:
		return is_pf(card, f);
	default:
		return false;
	}
}

static int lab_config_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	struct lab_card *card = bus->sysdata;
	struct lab_function *f;
	unsigned long flags;
	u32 bits = 0;
	int i;

	raw_spin_lock_irqsave(&card->lock, flags);
	f = find(card, bus->number, devfn);
	for (i = 0; f && i < size && where + i < sizeof(f->bytes); i++)
		bits |= (u32)f->bytes[where + i] << (8 * i);
	raw_spin_unlock_irqrestore(&card->lock, flags);
	if (!f) {
		PCI_SET_ERROR_RESPONSE(value);
		return PCIBIOS_DEVICE_NOT_FOUND;
	}
	*value = bits;
	return PCIBIOS_SUCCESSFUL;
}

static int lab_config_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	struct lab_card *card = bus->sysdata;
	struct lab_function *f;
	unsigned long flags;
	int i;

	raw_spin_lock_irqsave(&card->lock, flags);
	f = find(card, bus->number, devfn);
	for (i = 0; f && i < size && where + i < sizeof(f->bytes); i++)
		if (writable(card, f, where + i))
			f->bytes[where + i] = value >> (8 * i);
	if (f && where == CAP_VPD + PCI_VPD_ADDR && is_pf(card, f))
		access_vpd(container_of(f, struct lab_pf, config));
	raw_spin_unlock_irqrestore(&card->lock, flags);
	return f ? PCIBIOS_SUCCESSFUL : PCIBIOS_DEVICE_NOT_FOUND;
}

struct pci_ops lab_config_ops = {
	.read = lab_config_read,
	.write = lab_config_write,
};
