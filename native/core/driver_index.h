// Which driver holds which PCI function, without one readlink per function.
#pragma once

#include <map>
#include <set>
#include <string>

#include "host_root.h"
#include "pci_address.h"

namespace vdpa {

/// A driver that holds one VF usually holds hundreds, and its directory names them all in one
/// listing. So the first function of a driver is asked, and the others come with it. A function
/// that is rebound while the index is in use may be told from before; the kernel sends a uevent for
/// each bind, by which a snapshot notices.
class DriverIndex {
 public:
  explicit DriverIndex(const HostRoot& root) : root_(&root) {}

  /// The driver's name; empty when the function is unbound or gone.
  Result<std::string> DriverOf(const PciAddress& address, const std::string& text);

 private:
  Result<void> Learn(const std::string& driver);

  const HostRoot* root_;
  std::map<PciAddress, std::string> driver_of_;
  std::set<std::string> listed_;
};

}  // namespace vdpa
