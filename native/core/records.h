// The rows of a snapshot: plain values, one per thing the kernel told about. No behaviour.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vdpa {

using MacAddress = std::array<std::uint8_t, 6>;

/// A vDPA management device: the parent that creates devices (MGMTDEV_GET).
struct MgmtDevice {
  std::string bus;  ///< "pci", "auxiliary"; empty for parents without a bus (simulators, vduse)
  std::string name;
  std::uint64_t supported_classes = 0;   ///< bit n = virtio device id n
  std::optional<std::uint32_t> max_vqs;  ///< includes the control virtqueue
  std::optional<std::uint64_t> supported_features;
  /// The nearest PCI function, at or above it; empty for software. Only a snapshot tells.
  std::string pci_address = {};

  bool operator==(const MgmtDevice&) const = default;
};

/// A vDPA device as the `vdpa` family knows it (DEV_GET).
struct VdpaDevice {
  std::string name;
  std::string mgmt_bus;
  std::string mgmt_name;
  std::uint32_t device_id = 0;  ///< virtio device id: 1 net, 2 block
  std::uint32_t vendor_id = 0;
  std::uint32_t max_vqs = 0;
  std::uint16_t max_vq_size = 0;
  std::optional<std::uint16_t> min_vq_size;  ///< since Linux 5.16

  bool operator==(const VdpaDevice&) const = default;
};

/// The virtio configuration of one device (DEV_CONFIG_GET). Absent = the kernel did not say.
struct DeviceConfig {
  std::string name;
  std::uint32_t device_id = 0;
  std::optional<std::uint64_t> negotiated_features;  ///< only once a driver set FEATURES_OK
  std::optional<std::uint64_t> device_features;
  // net
  std::optional<MacAddress> mac;
  std::optional<std::uint16_t> net_status;  ///< bit 0 link up, bit 1 announce
  std::optional<std::uint16_t> max_vq_pairs;
  std::optional<std::uint16_t> mtu;
  // block
  std::optional<std::uint64_t> capacity_sectors;  ///< 512-byte sectors
  std::optional<std::uint32_t> size_max;
  std::optional<std::uint32_t> block_size;
  std::optional<std::uint32_t> seg_max;
  std::optional<std::uint16_t> num_queues;
  std::optional<std::uint8_t> physical_block_exp;
  std::optional<std::uint8_t> alignment_offset;
  std::optional<std::uint16_t> min_io_size;
  std::optional<std::uint32_t> opt_io_size;
  std::optional<std::uint32_t> max_discard_sectors;
  std::optional<std::uint32_t> max_discard_seg;
  std::optional<std::uint32_t> discard_sector_alignment;
  std::optional<std::uint32_t> max_write_zeroes_sectors;
  std::optional<std::uint32_t> max_write_zeroes_seg;
  std::optional<std::uint8_t> read_only;
  std::optional<std::uint8_t> flush;

  bool operator==(const DeviceConfig&) const = default;
};

/// Vendor counters of one virtqueue (DEV_VSTATS_GET).
struct VendorStats {
  std::string name;
  std::uint32_t device_id = 0;
  std::uint32_t queue_index = 0;
  std::optional<std::uint16_t> max_vq_pairs;
  std::optional<std::uint64_t> negotiated_features;
  std::vector<std::pair<std::string, std::uint64_t>> counters;

  bool operator==(const VendorStats&) const = default;
};

/// Whether dev/<name> is the node of a char device.
enum class NodeState : std::uint8_t {
  kMissing,
  kMismatch,  ///< another number, or no char device at all
  kThere,
};

/// The char device that vhost_vdpa makes for a vDPA device.
struct CharDevice {
  std::string name;  ///< "vhost-vdpa-3"
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  NodeState node = NodeState::kMissing;

  bool operator==(const CharDevice&) const = default;
};

/// A device on /sys/bus/vdpa, whether or not the `vdpa` family lists it.
struct BusDevice {
  std::string name;
  /// The parent's sysfs path below sys/devices, e.g. "pci0000:10/0000:10:00.0/0000:11:00.1"; empty
  /// for a device straight below sys/devices.
  std::string parent_path;
  std::string driver;  ///< "vhost_vdpa", "virtio_vdpa", another's name, or empty when unbound
  std::optional<CharDevice> char_device;

  bool operator==(const BusDevice&) const = default;
};

/// SR-IOV as a physical function sees it.
struct SriovCapability {
  std::uint32_t total_vfs = 0;
  std::uint32_t num_vfs = 0;  ///< those that are there: links `virtfnN`

  bool operator==(const SriovCapability&) const = default;
};

/// A PCI function that is a PF, a VF, or carries a vDPA device.
struct PciFunction {
  std::string address;  ///< "0000:65:00.2", domain of four or more digits
  std::uint16_t vendor_id = 0;
  std::uint16_t device_id = 0;
  std::uint16_t subsystem_vendor_id = 0;
  std::uint16_t subsystem_device_id = 0;
  std::uint32_t pci_class = 0;  ///< 24 bits: class, subclass, programming interface
  std::optional<std::uint8_t> revision;
  std::string driver;                     ///< empty when unbound
  std::optional<std::int32_t> numa_node;  ///< unset: no such file, or -1
  std::optional<std::uint32_t> iommu_group;
  std::string pf_address;                 ///< of a VF whose PF is on this host; else empty
  std::optional<std::uint32_t> vf_index;  ///< N of the PF's virtfnN
  std::optional<SriovCapability> sriov;   ///< of a PF

  bool operator==(const PciFunction&) const = default;
};

/// A network interface, with the device it belongs to (RTM_GETLINK).
struct Netdev {
  std::string name;
  std::uint32_t ifindex = 0;
  std::optional<MacAddress> mac;
  std::string phys_switch_id;  ///< lower-case hex, empty when none
  std::string phys_port_name;  ///< "p0", "pf0vf3", or empty
  std::string pci_address;     ///< the nearest PCI function above it; empty when none

  bool operator==(const Netdev&) const = default;
};

/// A scalable function's auxiliary device that carries a vDPA device, or can make one.
struct ScalableFunction {
  std::string name;        ///< "mlx5_core.sf.4", on the auxiliary bus
  std::string pf_address;  ///< the PCI function above it
  std::optional<std::uint32_t> sf_number;

  bool operator==(const ScalableFunction&) const = default;
};

/// What this kernel's `vdpa` family can do, from GETFAMILY: never from the version string, since
/// distributions backport.
struct VdpaAbi {
  std::uint16_t family_id = 0;
  std::uint32_t max_attribute = 0;  ///< CTRL_ATTR_MAXATTR
  std::uint64_t commands = 0;       ///< bit n = command n is implemented (CTRL_ATTR_OPS)

  bool operator==(const VdpaAbi&) const = default;
};

/// All of the host at one moment.
struct Snapshot {
  /// Unset when there is no `vdpa` family; then mgmt_devices and vdpa_devices are empty.
  std::optional<VdpaAbi> abi;
  std::vector<MgmtDevice> mgmt_devices;
  std::vector<VdpaDevice> vdpa_devices;
  std::vector<BusDevice> bus_devices;
  std::vector<PciFunction> pci_functions;
  std::vector<ScalableFunction> scalable_functions;
  std::vector<Netdev> netdevs;
  /// False when the host kept changing: every device that lived throughout is still in it.
  bool consistent = true;
  std::uint32_t attempts = 1;       ///< how many times the host was read
  std::uint64_t uevent_seqnum = 0;  ///< of the state shown; 0 when unknown

  bool operator==(const Snapshot&) const = default;
};

}  // namespace vdpa
