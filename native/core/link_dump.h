// The host's network interfaces, read with one RTM_GETLINK dump.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "netlink_channel.h"
#include "records.h"
#include "result.h"

namespace vdpa {

/// One interface as RTM_NEWLINK describes it.
struct Link {
  std::string name;
  std::uint32_t ifindex = 0;
  std::optional<MacAddress> mac;  ///< unset when the hardware address is not six bytes
  std::string phys_switch_id;     ///< lower-case hex, empty when none
  std::string phys_port_name;     ///< empty when none
  std::string parent_bus;         ///< "pci", "auxiliary", "virtio"; empty for virtual interfaces
  std::string parent_name;

  bool operator==(const Link&) const = default;
};

struct LinkDump {
  std::vector<Link> links;
  /// Some interface named its parent. When none did, this may be a kernel before 5.14, which
  /// cannot: the parents are then to be looked up in sysfs.
  bool names_parents = false;
  /// False when interfaces came or went during every attempt: some may be missing or shown twice.
  bool consistent = true;

  bool operator==(const LinkDump&) const = default;
};

/// Reads the payload of one RTM_NEWLINK message.
Result<Link> ParseLink(std::span<const std::byte> payload);

/// What ReadLinks and those who use its answer need of a dump, and no more: the attributes that
/// ParseLink reads, of the interfaces that have a parent (of all, when the kernel names none). An
/// interface's free text, tunnels and addresses are left out.
std::vector<std::byte> ReduceLinks(std::span<const std::byte> answer);

/// Dumps the interfaces of the channel's network namespace over a NETLINK_ROUTE channel of its own.
/// Statistics and VFs are left out: with many VFs they are most of the cost.
Result<LinkDump> ReadLinks(const ChannelFactory& open_route_channel, Deadline deadline);

}  // namespace vdpa
