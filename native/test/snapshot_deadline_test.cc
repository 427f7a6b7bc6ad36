#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>

#include "core/snapshot.h"
#include "support/snapshot_host.h"

using namespace vdpa;
using vdpa::test::BusNames;
using vdpa::test::Names;
using vdpa::test::SnapshotHost;
using vdpa::test::Strings;

TEST_CASE("no attempt is begun that the time does not suffice for") {
  SnapshotHost host;
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
  SnapshotHost host;
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
  SUBCASE("second, while a device is asked for that no list had") {
    slow = 0;
    host.kernel.unanswered.insert("born");
    host.options.after_step = [&](SnapshotStep step) {
      if (step == SnapshotStep::kVdpaDevices && reads == 1) host.Add("born");
    };
    const Snapshot snapshot = host.Take();
    CHECK_FALSE(snapshot.consistent);
    CHECK(snapshot.attempts == 2);
    CHECK(snapshot.uevent_seqnum == seqnum);
    CHECK(Names(snapshot) == Strings{"a"});
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
