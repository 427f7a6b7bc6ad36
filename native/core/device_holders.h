// Who has a char device open, as far as this process may see.
#pragma once

#include <string>
#include <vector>

#include "device_number.h"
#include "host_root.h"
#include "result.h"

namespace vdpa {

struct DeviceHolder {
  std::string pid;
  std::string command;  ///< as /proc/PID/comm has it; empty when it could not be read

  bool operator==(const DeviceHolder&) const = default;
};

/// Processes with a descriptor on the char device `node` ("vhost-vdpa-3") of this number. Names
/// only: that nobody is found proves nothing, since another user's descriptors, another PID
/// namespace's processes and those that came meanwhile are not seen.
Result<std::vector<DeviceHolder>> FindHolders(const HostRoot& root, const std::string& node,
                                              const DeviceNumber& number);

}  // namespace vdpa
