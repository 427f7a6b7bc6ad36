#include "core/snapshot.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "core/replay_channel.h"
#include "support/fake_kernel.h"
#include "support/kernel_bytes.h"
#include "support/sysfs_tree.h"

using namespace vdpa;
using vdpa::test::FakeKernel;
using vdpa::test::FromHex;
using vdpa::test::SysfsTree;

namespace {

Deadline Later() { return std::chrono::steady_clock::now() + std::chrono::seconds(30); }

/// A host whose sysfs and netlink answers change together, each change with its uevent.
struct Host {
  SysfsTree tree;
  FakeKernel kernel;
  std::uint64_t seqnum = 100;
  SnapshotOptions options;
  LinkSource links;

  Host() {
    tree.Directory("sys/bus/vdpa/devices");
    kernel.mgmt_devices = {{"", "vdpasim_net", 2}};
    Event();
  }

  void Event() { tree.File("sys/kernel/uevent_seqnum", std::to_string(++seqnum) + "\n"); }
  void Add(const std::string& name, const std::string& mgmt = "vdpasim_net") {
    tree.VdpaDevice("", name);
    kernel.devices.push_back({.name = name, .mgmt_name = mgmt, .device_id = 1});
    Event();
  }
  void Delete(const std::string& name) {
    tree.RemoveVdpaDevice("", name);
    std::erase_if(kernel.devices, [&](const VdpaDevice& device) { return device.name == name; });
    Event();
  }
  Result<Snapshot> Try(Deadline deadline = Later()) {
    VdpaFamily family(kernel.Factory());
    return TakeSnapshot(tree.Live(), family, links, deadline, options);
  }
  Snapshot Take() { return Try().value(); }
};

std::vector<std::string> Names(const Snapshot& snapshot) {
  std::vector<std::string> names;
  for (const VdpaDevice& device : snapshot.vdpa_devices) names.push_back(device.name);
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> BusNames(const Snapshot& snapshot) {
  std::vector<std::string> names;
  for (const BusDevice& device : snapshot.bus_devices) names.push_back(device.name);
  return names;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("a quiet host is read once") {
  Host host;
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
  Host host;
  host.tree.Remove("sys/bus/vdpa");
  host.tree.PhysicalFunction({.num_vfs = 1});
  const Snapshot snapshot = host.Take();
  CHECK_FALSE(snapshot.abi);
  CHECK(snapshot.consistent);
  CHECK(snapshot.pci_functions.size() == 2);
  CHECK(host.kernel.channels == 0);
}

TEST_CASE("without the family the bus is told nevertheless") {
  Host host;
  host.Add("a");
  host.kernel.has_family = false;
  const Snapshot snapshot = host.Take();
  CHECK_FALSE(snapshot.abi);
  CHECK(snapshot.mgmt_devices.empty());
  CHECK(BusNames(snapshot) == Strings{"a"});
  CHECK(snapshot.consistent);
}

TEST_CASE("a device that slipped through one dump is in the next") {
  Host host;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) host.Add(name);
  bool done = false;
  host.kernel.before_device_rows = [&](std::size_t given) {
    if (given != 2 || std::exchange(done, true)) return;
    host.Delete("a");  // c moves to an index that the dump has passed
  };
  const Snapshot snapshot = host.Take();
  CHECK(snapshot.consistent);
  CHECK(snapshot.attempts == 2);
  CHECK(Names(snapshot) == Strings{"b", "c", "d", "e", "f"});
}

TEST_CASE("on a host that never rests every device that lived throughout is found") {
  Host host;
  host.kernel.rows_per_receive = 3;
  Strings survivors;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "dev" + std::to_string(100 + i);
    host.Add(name);
    if (i >= 20) survivors.push_back(name);
  }
  int next = 0;
  host.kernel.before_device_rows = [&](std::size_t given) {
    if (given > 0 && next < 20) host.Delete("dev" + std::to_string(100 + next++));
  };
  host.options.after_step = [&](SnapshotStep) { host.Event(); };
  const Snapshot snapshot = host.Take();
  CHECK_FALSE(snapshot.consistent);
  CHECK(snapshot.attempts == 3);
  const Strings names = Names(snapshot);
  for (const std::string& name : survivors) {
    CAPTURE(name);
    CHECK(std::ranges::count(names, name) == 1);
  }
  CHECK_FALSE(host.kernel.asked.empty());
}

TEST_CASE("one attempt is enough to lose no device") {
  Host host;
  host.options.max_attempts = 1;
  for (const char* name : {"a", "b", "c", "d"}) host.Add(name);
  host.kernel.before_device_rows = [&](std::size_t given) {
    if (given == 2) host.Delete("a");
  };
  const Snapshot snapshot = host.Take();
  CHECK_FALSE(snapshot.consistent);
  CHECK(Names(snapshot) == Strings{"b", "c", "d"});
  CHECK(host.kernel.asked == Strings{"c"});
}

TEST_CASE("two readings that agree are consistent although events never stop") {
  Host host;
  host.Add("a");
  host.options.after_step = [&](SnapshotStep) { host.Event(); };
  const Snapshot snapshot = host.Take();
  CHECK(snapshot.consistent);
  CHECK(snapshot.attempts == 2);
}

TEST_CASE("a kernel that counts no events is read until two readings agree") {
  Host host;
  host.Add("a");
  host.tree.Remove("sys/kernel");
  const Snapshot snapshot = host.Take();
  CHECK(snapshot.consistent);
  CHECK(snapshot.attempts == 2);
  CHECK(snapshot.uevent_seqnum == 0);
}

TEST_CASE("a device that vanishes between netlink and sysfs is absent") {
  Host host;
  host.options.max_attempts = 1;
  host.Add("a");
  host.Add("b");
  host.options.after_step = [&](SnapshotStep step) {
    if (step == SnapshotStep::kVdpaDevices) host.Delete("b");
  };
  const Snapshot snapshot = host.Take();
  CHECK(Names(snapshot) == Strings{"a"});
  CHECK(BusNames(snapshot) == Strings{"a"});
}

TEST_CASE("a device that comes between netlink and sysfs is asked for by name") {
  Host host;
  host.options.max_attempts = 1;
  host.Add("a");
  host.options.after_step = [&](SnapshotStep step) {
    if (step == SnapshotStep::kVdpaDevices) host.Add("b");
  };
  CHECK(Names(host.Take()) == Strings{"a", "b"});
}

TEST_CASE("a device that is gone when it is asked for is absent from the bus as well") {
  Host host;
  host.options.max_attempts = 1;
  host.Add("a");
  host.options.after_step = [&](SnapshotStep step) {
    if (step == SnapshotStep::kVdpaDevices) host.Add("b");
    if (step == SnapshotStep::kPciFunctions) host.Delete("b");
  };
  const Snapshot snapshot = host.Take();
  CHECK(Names(snapshot) == Strings{"a"});
  CHECK(BusNames(snapshot) == Strings{"a"});
}

TEST_CASE("a device made again during the dump is shown once, as it is now") {
  Host host;
  host.options.max_attempts = 1;
  for (const char* name : {"a", "b", "c"}) host.Add(name);
  host.kernel.rows_per_receive = 1;
  host.kernel.before_device_rows = [&](std::size_t given) {
    if (given != 1) return;
    host.Delete("a");
    host.Add("a", "another");
  };
  const Snapshot snapshot = host.Take();
  CHECK(Names(snapshot) == Strings{"a", "b", "c"});
  for (const VdpaDevice& device : snapshot.vdpa_devices) {
    if (device.name == "a") CHECK(device.mgmt_name == "another");
  }
}

TEST_CASE("a device without a management device stays on the bus only") {
  Host host;
  host.Add("a");
  host.tree.VdpaDevice("", "eni");
  host.kernel.unmanaged.insert("eni");
  const Snapshot snapshot = host.Take();
  CHECK(snapshot.consistent);
  CHECK(snapshot.attempts == 1);
  CHECK(Names(snapshot) == Strings{"a"});
  CHECK(BusNames(snapshot) == Strings{"a", "eni"});
}

TEST_CASE("management devices that the last dump lost are asked for") {
  Host host;
  host.options.max_attempts = 2;
  host.kernel.mgmt_devices = {{"", "vdpasim_net", 2}, {"", "vdpasim_blk", 4}};
  host.Add("a");
  int reading = 0;
  std::vector<MgmtDevice> hidden;
  host.options.after_step = [&](SnapshotStep step) {
    host.Event();
    if (step == SnapshotStep::kVdpaDevices) host.Add("n" + std::to_string(reading));
    if (step == SnapshotStep::kNetdevs && ++reading == 1) {
      hidden = std::exchange(host.kernel.mgmt_devices, {{"", "vdpasim_net", 2}});
    }
    if (step == SnapshotStep::kPciFunctions && reading == 1) host.kernel.mgmt_devices = hidden;
  };
  host.links = [](Deadline) -> Result<LinkDump> { return LinkDump(); };
  const Snapshot snapshot = host.Take();
  CHECK_FALSE(snapshot.consistent);
  CHECK(snapshot.mgmt_devices.size() == 2);
}

TEST_CASE("dropped answers are made up for by asking") {
  Host host;
  for (const char* name : {"a", "b", "c", "d"}) host.Add(name);
  SUBCASE("once: read again") {
    host.kernel.lost_dumps = 1;
    const Snapshot snapshot = host.Take();
    CHECK(snapshot.consistent);
    CHECK(snapshot.attempts == 2);
    CHECK(Names(snapshot) == Strings{"a", "b", "c", "d"});
  }
  SUBCASE("always: by name") {
    host.kernel.lost_dumps = 100;
    const Snapshot snapshot = host.Take();
    CHECK_FALSE(snapshot.consistent);
    CHECK(Names(snapshot) == Strings{"a", "b", "c", "d"});
    CHECK(snapshot.mgmt_devices.size() == 1);
  }
}

TEST_CASE("interfaces that came or went make the reading inconsistent") {
  Host host;
  int reads = 0;
  host.links = [&](Deadline) -> Result<LinkDump> {
    LinkDump dump;
    dump.consistent = ++reads > 1;
    dump.names_parents = true;
    dump.links = {{.name = "p0", .ifindex = 2, .parent_bus = "pci", .parent_name = "0000:11:00.0"}};
    return dump;
  };
  const Snapshot snapshot = host.Take();
  CHECK(snapshot.attempts == 2);
  CHECK(snapshot.netdevs.size() == 1);
}

TEST_CASE("what is not the host's change is an error") {
  Host host;
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

TEST_CASE("no attempt is begun that the time does not suffice for") {
  Host host;
  host.Add("a");
  host.options.after_step = [&](SnapshotStep step) {
    host.Event();
    if (step == SnapshotStep::kPciFunctions) {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
  };
  const auto now = std::chrono::steady_clock::now();
  const Snapshot snapshot = host.Try(now + std::chrono::milliseconds(500)).value();
  CHECK(snapshot.attempts == 1);
  CHECK_FALSE(snapshot.consistent);
  CHECK(Names(snapshot) == Strings{"a"});
}

TEST_CASE("when time runs out in a further attempt the reading before it is the answer") {
  Host host;
  host.Add("a");
  host.tree.VdpaDevice("", "eni");
  host.kernel.unmanaged.insert("eni");
  const std::uint64_t seqnum = host.seqnum;
  int reads = 0;
  std::uint64_t slow = 2;
  host.links = [&](Deadline) -> Result<LinkDump> {
    ++reads;
    host.Add("later" + std::to_string(reads));
    if (static_cast<std::uint64_t>(reads) == slow) {
      return std::unexpected(Error{Fault::kTimeout, "GETLINK"});
    }
    LinkDump dump;
    dump.links = {{.name = "p0", .ifindex = 2, .parent_bus = "pci", .parent_name = "0000:11:00.0"}};
    return dump;
  };
  SUBCASE("second") {
    const Snapshot snapshot = host.Take();
    CHECK_FALSE(snapshot.consistent);
    CHECK(snapshot.attempts == 2);
    CHECK(snapshot.uevent_seqnum == seqnum);
    CHECK(Names(snapshot) == Strings{"a"});
    CHECK(BusNames(snapshot) == Strings{"a", "eni"});
    CHECK(snapshot.netdevs.size() == 1);
  }
  SUBCASE("first") {
    slow = 1;
    CHECK(host.Try().error().fault == Fault::kTimeout);
  }
  SUBCASE("second, after one that lost answers") {
    host.kernel.rows_per_receive = 1;
    host.kernel.lost_dumps = 1;
    CHECK(host.Try().error().fault == Fault::kTimeout);
  }
}

TEST_CASE("a refusal says that a device is not managed, anything else is an error") {
  Host host;
  host.Add("a");
  host.tree.VdpaDevice("", "eni");
  SUBCASE("EOPNOTSUPP") {
    host.kernel.refused = {{"eni", EOPNOTSUPP}};
    const Snapshot snapshot = host.Take();
    CHECK(Names(snapshot) == Strings{"a"});
    CHECK(BusNames(snapshot) == Strings{"a", "eni"});
  }
  SUBCASE("EPERM") {
    host.kernel.refused = {{"eni", EPERM}};
    CHECK(host.Try().error().errno_value == EPERM);
  }
}

TEST_CASE("a family that goes while devices are asked for is none") {
  Host host;
  host.Add("a");
  host.tree.VdpaDevice("", "b");
  host.tree.VdpaDevice("", "c");
  host.options.after_step = [&](SnapshotStep step) {
    if (step == SnapshotStep::kPciFunctions) host.kernel.has_family = false;
  };
  const Snapshot snapshot = host.Take();
  CHECK_FALSE(snapshot.abi);
  CHECK(snapshot.vdpa_devices.empty());
  CHECK(snapshot.mgmt_devices.empty());
  CHECK(BusNames(snapshot) == Strings{"a", "b", "c"});
  CHECK(host.kernel.family_lookups == 2);
}

TEST_CASE("a family that is missing is looked for once, however often the host is read") {
  Host host;
  host.Add("a");
  host.kernel.has_family = false;
  host.options.after_step = [&](SnapshotStep step) {
    if (step == SnapshotStep::kPciFunctions) host.Add("n" + std::to_string(host.seqnum));
  };
  const Snapshot snapshot = host.Take();
  CHECK(snapshot.attempts == 3);
  CHECK(host.kernel.family_lookups == 1);
}

TEST_CASE("interfaces that one attempt lost are those of the attempt before") {
  Host host;
  host.options.max_attempts = 2;
  int reads = 0;
  host.links = [&](Deadline) -> Result<LinkDump> {
    host.Event();
    if (++reads == 2) return std::unexpected(Error{Fault::kLost, "GETLINK"});
    LinkDump dump;
    dump.links = {{.name = "p0", .ifindex = 2, .parent_bus = "pci", .parent_name = "0000:11:00.0"}};
    return dump;
  };
  const Snapshot snapshot = host.Take();
  CHECK(reads == 2);
  CHECK_FALSE(snapshot.consistent);
  CHECK(snapshot.netdevs.size() == 1);
}

TEST_CASE("a recording without links does not hide that answers were lost") {
  Host host;
  for (const char* name : {"a", "b", "c"}) host.Add(name);
  host.kernel.lost_dumps = 1;
  VdpaFamily family(host.kernel.Factory());
  const LinkSource links = [](Deadline) -> Result<LinkDump> {
    return std::unexpected(Error{Fault::kGone, "open netlink/link-dump.bin", ENOENT});
  };
  CHECK_FALSE(TakeSnapshot(host.tree.Captured(), family, links, Later())->consistent);
}

TEST_CASE("management devices are in order of bus and name, each with its PCI function") {
  Host host;
  host.tree.Function("pci0000:20", "0000:21:00.3", "1DD8:1003");
  host.tree.Link("sys/bus/auxiliary/devices/pds_core.vDPA.1",
                 "../../../devices/pci0000:20/0000:21:00.3/pds_core.vDPA.1");
  host.kernel.mgmt_devices = {{"pci", "0000:11:00.2", 2},
                              {"", "vdpasim_net", 2},
                              {"pci", "0000:11:00.1", 2},
                              {"auxiliary", "pds_core.vDPA.1", 2}};
  const auto all = host.kernel.mgmt_devices;
  int reading = 0;
  SUBCASE("dumped") { CHECK(host.Take().pci_functions.size() == 1); }
  SUBCASE("asked for") {
    host.options.max_attempts = 2;
    host.options.after_step = [&](SnapshotStep step) {
      if (step == SnapshotStep::kBusDevices) ++reading;
      if (step != SnapshotStep::kPciFunctions) return;
      host.Event();
      // The second dump tells of one, and all are there again when they are asked for.
      host.kernel.mgmt_devices = all;
    };
    host.links = [&](Deadline) -> Result<LinkDump> {
      if (reading == 1) host.kernel.mgmt_devices = {all[0]};
      return LinkDump();
    };
  }
  const Snapshot snapshot = host.Take();
  Strings rows;
  for (const MgmtDevice& device : snapshot.mgmt_devices) {
    rows.push_back(device.bus + "/" + device.name + " " + device.pci_address);
  }
  CHECK(rows == Strings{"/vdpasim_net ", "auxiliary/pds_core.vDPA.1 0000:21:00.3",
                        "pci/0000:11:00.1 0000:11:00.1", "pci/0000:11:00.2 0000:11:00.2"});
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
