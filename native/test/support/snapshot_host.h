// A host to take snapshots of, which a test changes at the very point it wants.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/snapshot.h"
#include "fake_kernel.h"
#include "sysfs_tree.h"

namespace vdpa::test {

/// A deadline that no test reaches.
Deadline Later();

/// A host whose sysfs and netlink answers change together, each change with its uevent.
struct SnapshotHost {
  SysfsTree tree;
  FakeKernel kernel;
  std::uint64_t seqnum = 100;
  SnapshotOptions options;
  LinkSource links;

  SnapshotHost();

  void Event();
  void Add(const std::string& name, const std::string& mgmt = "vdpasim_net");
  void Delete(const std::string& name);
  Result<Snapshot> Try(Deadline deadline = Later());
  Snapshot Take() { return Try().value(); }
};

using Strings = std::vector<std::string>;

/// Of the devices that the family tells about, in order.
Strings Names(const Snapshot& snapshot);
/// Of the devices on the bus, as they come.
Strings BusNames(const Snapshot& snapshot);

}  // namespace vdpa::test
