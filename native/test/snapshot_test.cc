#include "core/snapshot.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "core/replay_channel.h"
#include "support/kernel_bytes.h"
#include "support/snapshot_host.h"
#include "support/sysfs_tree.h"

using namespace vdpa;
using vdpa::test::BusNames;
using vdpa::test::FromHex;
using vdpa::test::Later;
using vdpa::test::Names;
using vdpa::test::SnapshotHost;
using vdpa::test::Strings;
using vdpa::test::SysfsTree;

TEST_CASE("a quiet host is read once") {
  SnapshotHost host;
  for (const char* name : {"a", "b", "c", "d", "e"}) host.Add(name);
  host.tree.PhysicalFunction({.num_vfs = 2});
  const Snapshot snapshot = host.Take();
  CHECK(snapshot.consistent);
  CHECK(snapshot.attempts == 1);
  CHECK(snapshot.uevent_seqnum == host.seqnum);
  CHECK(snapshot.abi.has_value());
  CHECK(snapshot.mgmt_devices.size() == 1);
  CHECK(Names(snapshot) == Strings{"a", "b", "c", "d", "e"});
  CHECK(BusNames(snapshot) == Strings{"a", "b", "c", "d", "e"});
  CHECK(snapshot.pci_functions.size() == 3);
  CHECK(host.kernel.asked.empty());
  CHECK(host.kernel.dumps == 2);
}

TEST_CASE("without the bus the family is not even looked for") {
  SnapshotHost host;
  host.tree.Remove("sys/bus/vdpa");
  host.tree.PhysicalFunction({.num_vfs = 1});
  const Snapshot snapshot = host.Take();
  CHECK_FALSE(snapshot.abi);
  CHECK(snapshot.consistent);
  CHECK(snapshot.pci_functions.size() == 2);
  CHECK(host.kernel.channels == 0);
}

TEST_CASE("without the family the bus is told nevertheless") {
  SnapshotHost host;
  host.Add("a");
  host.kernel.has_family = false;
  const Snapshot snapshot = host.Take();
  CHECK_FALSE(snapshot.abi);
  CHECK(snapshot.mgmt_devices.empty());
  CHECK(BusNames(snapshot) == Strings{"a"});
  CHECK(snapshot.consistent);
}

TEST_CASE("two readings that agree are consistent although events never stop") {
  SnapshotHost host;
  host.Add("a");
  host.options.after_step = [&](SnapshotStep) { host.Event(); };
  const Snapshot snapshot = host.Take();
  CHECK(snapshot.consistent);
  CHECK(snapshot.attempts == 2);
}

TEST_CASE("a kernel that counts no events is read until two readings agree") {
  SnapshotHost host;
  host.Add("a");
  host.tree.Remove("sys/kernel");
  const Snapshot snapshot = host.Take();
  CHECK(snapshot.consistent);
  CHECK(snapshot.attempts == 2);
  CHECK(snapshot.uevent_seqnum == 0);
}

TEST_CASE("what is not the host's change is an error") {
  SnapshotHost host;
  host.Add("a");
  SUBCASE("links") {
    host.links = [](Deadline) -> Result<LinkDump> { return SystemError("links", EACCES); };
    CHECK(host.Try().error().op == "links");
  }
  SUBCASE("sysfs") {
    host.tree.PhysicalFunction({.num_vfs = 1});
    host.tree.File("sys/bus/pci/devices/0000:11:00.0/sriov_totalvfs", "x");
    CHECK(host.Try().error().fault == Fault::kMalformed);
  }
}

TEST_CASE("a family that is missing is looked for once, however often the host is read") {
  SnapshotHost host;
  host.Add("a");
  host.kernel.has_family = false;
  host.options.after_step = [&](SnapshotStep step) {
    if (step == SnapshotStep::kPciFunctions) host.Add("n" + std::to_string(host.seqnum));
  };
  const Snapshot snapshot = host.Take();
  CHECK(snapshot.attempts == 3);
  CHECK(host.kernel.family_lookups == 1);
}

TEST_CASE("an odd file in a captured tree does not make the rest unreadable") {
  SysfsTree tree;
  tree.VdpaDevice("", "sim0");
  tree.BindVhost("", "sim0", 1);
  tree.PhysicalFunction({.num_vfs = 1, .iommu_group = 3});
  tree.Remove("sys/devices/pci0000:10/0000:10:00.0/0000:11:00.0/iommu_group");
  tree.File("sys/devices/pci0000:10/0000:10:00.0/0000:11:00.0/iommu_group", "3");
  tree.File("sys/bus/vdpa/devices/README", "not a device");
  tree.Link("sys/bus/vdpa/devices/loop", "loop");
  tree.File("netlink", "not a directory");
  const HostRoot root = tree.Captured();
  VdpaFamily family([&root]() -> Result<std::unique_ptr<NetlinkChannel>> {
    return std::make_unique<ReplayChannel>([&root](std::string_view path) {
      return root.ReadBytes(std::string(path), std::size_t{1} << 20U);
    });
  });
  const Snapshot snapshot = TakeSnapshot(root, family, {}, Later()).value();
  CHECK(snapshot.pci_functions.size() == 2);
  CHECK(std::ranges::count(BusNames(snapshot), "sim0") == 1);
}

TEST_CASE("a captured root is read once, from its own recording") {
  SysfsTree tree;
  tree.Directory("sys/bus/vdpa/devices");
  const std::string vf = "pci0000:10/0000:10:00.0/0000:11:00.1";
  tree.PhysicalFunction({.num_vfs = 2});
  tree.VdpaDevice(vf, "vdpa0");
  tree.BindVhost(vf, "vdpa0", 0);
  tree.VdpaDevice("", "sim0");
  tree.VdpaDevice("", "unrecorded");
  tree.File("sys/kernel/uevent_seqnum", "77\n");
  bool recorded = false;
  SUBCASE("with netlink") { recorded = true; }
  SUBCASE("without") { recorded = false; }
  const auto binary = [&](const std::string& path, std::string_view hex) {
    const auto bytes = FromHex(hex);
    tree.File(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  if (recorded) {
    binary("netlink/getfamily.bin", test::kGetFamily);
    binary("netlink/mgmtdev-dump.bin", test::kMgmtDevDump);
    binary("netlink/dev-dump.bin", test::kDevDump);
  }
  const HostRoot root = tree.Captured();
  VdpaFamily family([&root]() -> Result<std::unique_ptr<NetlinkChannel>> {
    return std::make_unique<ReplayChannel>([&root](std::string_view path) {
      return root.ReadBytes(std::string(path), std::size_t{1} << 24U);
    });
  });
  const Snapshot snapshot = TakeSnapshot(root, family, {}, Later()).value();
  CHECK(snapshot.consistent);
  CHECK(snapshot.attempts == 1);
  CHECK(snapshot.abi.has_value() == recorded);
  CHECK(snapshot.bus_devices.size() == 3);
  CHECK(snapshot.pci_functions.size() == 3);
  // blk0 is in the recording of the kernel's answers, but not in this tree.
  if (recorded) CHECK(Names(snapshot) == Strings{"sim0", "vdpa0"});
}
