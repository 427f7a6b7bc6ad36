// A host's file tree in a temporary directory, with relative links as the kernel makes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/host_root.h"

namespace vdpa::test {

struct PfSpec {
  std::string parent = "pci0000:10/0000:10:00.0";  ///< below sys/devices
  std::string address = "0000:11:00.0";
  unsigned total_vfs = 8;
  unsigned num_vfs = 0;
  unsigned offset = 1;
  unsigned stride = 1;
  std::string numa_node = "1";
  int iommu_group = -1;  ///< that of the PF; VFs get the following ones; -1: no IOMMU
};

class SysfsTree {
 public:
  SysfsTree();
  ~SysfsTree();
  SysfsTree(const SysfsTree&) = delete;
  SysfsTree& operator=(const SysfsTree&) = delete;

  const std::string& Path() const { return root_; }
  HostRoot Captured() const;
  HostRoot Live() const;

  void File(const std::string& path, std::string_view content);
  void Link(const std::string& path, const std::string& target);
  void Directory(const std::string& path);
  void Remove(const std::string& path);
  bool Has(const std::string& path) const;

  /// A PCI function below sys/devices/<parent>, listed on the bus.
  void Function(const std::string& parent, const std::string& address, std::string_view ids,
                std::string_view driver = "");
  /// A PF with `num_vfs` VFs, all with driver_override "(null)".
  void PhysicalFunction(const PfSpec& spec);
  /// Binds a function, listed with the driver, as the kernel shows it.
  void Bind(const std::string& parent, const std::string& address, const std::string& driver);

  /// A vDPA device below sys/devices/<parent_path>.
  void VdpaDevice(const std::string& parent_path, const std::string& name);
  /// Binds it to vhost_vdpa: child directory, link in sys/dev/char, node, /proc/devices.
  void BindVhost(const std::string& parent_path, const std::string& name, unsigned minor_number);
  void UnbindVhost(const std::string& parent_path, const std::string& name, unsigned minor_number);
  void BindVirtio(const std::string& parent_path, const std::string& name);
  void RemoveVdpaDevice(const std::string& parent_path, const std::string& name);

 private:
  std::string root_;
};

}  // namespace vdpa::test
