#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "core/snapshot.h"
#include "support/snapshot_host.h"

using namespace vdpa;
using vdpa::test::BusNames;
using vdpa::test::Later;
using vdpa::test::Names;
using vdpa::test::SnapshotHost;
using vdpa::test::Strings;

TEST_CASE("a device that slipped through one dump is in the next") {
  SnapshotHost host;
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
  SnapshotHost host;
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

TEST_CASE("a device that vanishes between netlink and sysfs is absent") {
  SnapshotHost host;
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

TEST_CASE("a device made again during the dump is shown once, as it is now") {
  SnapshotHost host;
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

TEST_CASE("dropped answers are made up for by asking") {
  SnapshotHost host;
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
  SnapshotHost host;
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

TEST_CASE("interfaces that one attempt lost are those of the attempt before") {
  SnapshotHost host;
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
  SnapshotHost host;
  for (const char* name : {"a", "b", "c"}) host.Add(name);
  host.kernel.lost_dumps = 1;
  VdpaFamily family(host.kernel.Factory());
  const LinkSource links = [](Deadline) -> Result<LinkDump> {
    return std::unexpected(Error{Fault::kGone, "open netlink/link-dump.bin", ENOENT});
  };
  CHECK_FALSE(TakeSnapshot(host.tree.Captured(), family, links, Later())->consistent);
}
