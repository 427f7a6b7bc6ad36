#include "netdev.h"

#include <string>
#include <utility>

#include "device_path.h"

namespace vdpa {
namespace {

/// Whether sysfs may know more about this link than the link itself.
bool NeedsPath(const Link& link, bool names_parents) {
  // A host has far more virtual interfaces (no parent) than hardware. Where this kernel tells
  // parents at all, their absence is an answer.
  return !names_parents || !link.parent_name.empty();
}

}  // namespace

Result<std::vector<Netdev>> ResolveNetdevs(const HostRoot& root, const LinkDump& dump) {
  std::vector<Netdev> netdevs;
  for (const Link& link : dump.links) {
    std::string pci_address;
    if (link.parent_bus == "pci") {
      pci_address = link.parent_name;
    } else if (NeedsPath(link, dump.names_parents)) {
      const auto target = root.ReadLinkIfThere("sys/class/net/" + link.name);
      if (!target) return std::unexpected(target.error());
      const auto path = DevicesPath(*target);
      if (path) pci_address = NearestPciComponent(*path);
    }
    if (pci_address.empty()) continue;
    netdevs.push_back({.name = link.name,
                       .ifindex = link.ifindex,
                       .mac = link.mac,
                       .phys_switch_id = link.phys_switch_id,
                       .phys_port_name = link.phys_port_name,
                       .pci_address = std::move(pci_address)});
  }
  return netdevs;
}

}  // namespace vdpa
