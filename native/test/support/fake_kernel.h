// A `vdpa` family that dumps as the kernel does: some rows per receive, resumed by index.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "bytes.h"
#include "core/netlink_channel.h"
#include "core/records.h"

namespace vdpa::test {

struct FakeKernel {
  std::vector<MgmtDevice> mgmt_devices;
  std::vector<VdpaDevice> devices;
  std::set<std::string> unmanaged;     ///< EINVAL when asked for, in no dump
  std::map<std::string, int> refused;  ///< with this errno when asked for
  std::set<std::string> unanswered;    ///< no answer comes when asked for
  std::size_t rows_per_receive = 2;
  bool has_family = true;
  int lost_dumps = 0;              ///< so many dumps end with dropped answers
  std::vector<std::string> asked;  ///< names of devices that were asked for one by one
  int dumps = 0;
  int channels = 0;
  int family_lookups = 0;
  /// Called before each part of a device dump is put together, with how many rows were given so
  /// far.
  std::function<void(std::size_t)> before_device_rows = {};

  ChannelFactory Factory();
};

}  // namespace vdpa::test
