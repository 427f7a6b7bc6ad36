#include "sysfs_tree.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/pci_address.h"

namespace vdpa::test {
namespace {

namespace fs = std::filesystem;

/// The target of a link at `path` (below the root) that leads to `to` (below sys/).
std::string Relative(const std::string& path, const std::string& to) {
  return fs::path("sys/" + to).lexically_relative(fs::path(path).parent_path()).string();
}

}  // namespace

SysfsTree::SysfsTree() {
  root_ = (fs::temp_directory_path() / "sysfs-tree-XXXXXX").string();
  if (mkdtemp(root_.data()) == nullptr) std::abort();
}

SysfsTree::~SysfsTree() { fs::remove_all(root_); }

HostRoot SysfsTree::Captured() const { return HostRoot::Open(root_).value(); }
HostRoot SysfsTree::Live() const { return HostRoot::OpenLive(root_).value(); }

void SysfsTree::Directory(const std::string& path) {
  fs::create_directories(fs::path(root_) / path);
}

void SysfsTree::File(const std::string& path, std::string_view content) {
  const fs::path full = fs::path(root_) / path;
  fs::create_directories(full.parent_path());
  std::ofstream(full, std::ios::binary) << content;
}

void SysfsTree::Link(const std::string& path, const std::string& target) {
  const fs::path full = fs::path(root_) / path;
  fs::create_directories(full.parent_path());
  fs::remove(full);
  fs::create_symlink(target, full);
}

void SysfsTree::Remove(const std::string& path) { fs::remove_all(fs::path(root_) / path); }

bool SysfsTree::Has(const std::string& path) const {
  return fs::exists(fs::symlink_status(fs::path(root_) / path));
}

void SysfsTree::Function(const std::string& parent, const std::string& address,
                         std::string_view ids, std::string_view driver) {
  const std::string directory = "sys/devices/" + parent + "/" + address;
  std::string uevent;
  if (!driver.empty()) uevent = "DRIVER=" + std::string(driver) + "\n";
  uevent += "PCI_CLASS=20000\nPCI_ID=" + std::string(ids) +
            "\nPCI_SUBSYS_ID=15B3:0016\nPCI_SLOT_NAME=" + address + "\nMODALIAS=pci:v0\n";
  File(directory + "/uevent", uevent);
  File(directory + "/revision", "0x01\n");
  File(directory + "/driver_override", "(null)\n");
  const std::string link = "sys/bus/pci/devices/" + address;
  Link(link, Relative(link, "devices/" + parent + "/" + address));
  if (!driver.empty()) Bind(parent, address, std::string(driver));
}

void SysfsTree::Bind(const std::string& parent, const std::string& address,
                     const std::string& driver) {
  const std::string link = "sys/devices/" + parent + "/" + address + "/driver";
  Link(link, Relative(link, "bus/pci/drivers/" + driver));
  const std::string listed = "sys/bus/pci/drivers/" + driver + "/" + address;
  Link(listed, Relative(listed, "devices/" + parent + "/" + address));
  File("sys/bus/pci/drivers/" + driver + "/bind", "");
}

void SysfsTree::PhysicalFunction(const PfSpec& spec) {
  const auto group = [&](const std::string& address, unsigned number) {
    if (spec.iommu_group < 0) return;
    const std::string link = "sys/devices/" + spec.parent + "/" + address + "/iommu_group";
    Link(link,
         Relative(link, "kernel/iommu_groups/" +
                            std::to_string(static_cast<unsigned>(spec.iommu_group) + number)));
  };
  Function(spec.parent, spec.address, "15B3:101D", "mlx5_core");
  group(spec.address, 0);
  const std::string directory = "sys/devices/" + spec.parent + "/" + spec.address + "/";
  File(directory + "numa_node", spec.numa_node + "\n");
  File(directory + "sriov_totalvfs", std::to_string(spec.total_vfs) + "\n");
  File(directory + "sriov_numvfs", std::to_string(spec.num_vfs) + "\n");
  File(directory + "sriov_offset", std::to_string(spec.offset) + "\n");
  File(directory + "sriov_stride", std::to_string(spec.stride) + "\n");
  File(directory + "sriov_vf_device", "101e\n");
  const PciAddress pf = ParsePciAddress(spec.address).value();
  for (unsigned index = 0; index < spec.num_vfs; ++index) {
    const std::string vf = FormatPciAddress(VfAddress(pf, spec.offset, spec.stride, index).value());
    Function(spec.parent, vf, "15B3:101E");
    group(vf, index + 1);
    Link("sys/devices/" + spec.parent + "/" + vf + "/physfn", "../" + spec.address);
    Link(directory + "virtfn" + std::to_string(index), "../" + vf);
  }
}

void SysfsTree::VdpaDevice(const std::string& parent_path, const std::string& name) {
  const std::string below = parent_path.empty() ? name : parent_path + "/" + name;
  File("sys/devices/" + below + "/uevent", "");
  const std::string link = "sys/bus/vdpa/devices/" + name;
  Link(link, Relative(link, "devices/" + below));
}

void SysfsTree::BindVhost(const std::string& parent_path, const std::string& name,
                          unsigned minor_number) {
  const std::string below = parent_path.empty() ? name : parent_path + "/" + name;
  const std::string node = "vhost-vdpa-" + std::to_string(minor_number);
  const std::string number = "250:" + std::to_string(minor_number);
  File("sys/devices/" + below + "/" + node + "/dev", number + "\n");
  const std::string driver = "sys/devices/" + below + "/driver";
  Link(driver, Relative(driver, "bus/vdpa/drivers/vhost_vdpa"));
  const std::string link = "sys/dev/char/" + number;
  Link(link, Relative(link, "devices/" + below + "/" + node));
  File("dev/" + node, "");
  File("proc/devices",
       "Character devices:\n  1 mem\n250 vhost-vdpa\n\nBlock devices:\n  7 loop\n250 vhost-vdpa\n");
}

void SysfsTree::UnbindVhost(const std::string& parent_path, const std::string& name,
                            unsigned minor_number) {
  const std::string below = parent_path.empty() ? name : parent_path + "/" + name;
  const std::string node = "vhost-vdpa-" + std::to_string(minor_number);
  Remove("sys/devices/" + below + "/" + node);
  Remove("sys/devices/" + below + "/driver");
  Remove("sys/dev/char/250:" + std::to_string(minor_number));
  Remove("dev/" + node);
}

void SysfsTree::BindVirtio(const std::string& parent_path, const std::string& name) {
  const std::string below = parent_path.empty() ? name : parent_path + "/" + name;
  const std::string driver = "sys/devices/" + below + "/driver";
  Link(driver, Relative(driver, "bus/vdpa/drivers/virtio_vdpa"));
}

void SysfsTree::RemoveVdpaDevice(const std::string& parent_path, const std::string& name) {
  Remove("sys/bus/vdpa/devices/" + name);
  Remove("sys/devices/" + (parent_path.empty() ? name : parent_path + "/" + name));
}

}  // namespace vdpa::test
