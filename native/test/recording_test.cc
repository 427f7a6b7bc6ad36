#include "core/recording.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "core/host_channels.h"
#include "core/host_root.h"
#include "core/recordable.h"
#include "core/recording_channel.h"
#include "core/snapshot.h"
#include "support/fake_kernel.h"
#include "support/sysfs_tree.h"

using namespace vdpa;
using vdpa::test::FakeKernel;
using vdpa::test::SysfsTree;

namespace {

using Kind = RecordedEntry::Kind;

Deadline Later() { return std::chrono::steady_clock::now() + std::chrono::seconds(30); }

/// A root that remembers what is read of it.
std::shared_ptr<const HostRoot> Recorded(HostRoot root) {
  REQUIRE(root.Record());
  return std::make_shared<const HostRoot>(std::move(root));
}

Recording::Entries All(const HostRoot& root) { return root.Recorded()->After("", 100'000); }

std::map<std::string, RecordedEntry> Map(const HostRoot& root) {
  std::map<std::string, RecordedEntry> map;
  for (auto& [path, entry] : All(root)) map.emplace(path, entry);
  return map;
}

/// The tree that a recording stands for.
void Restore(const Recording::Entries& entries, SysfsTree& tree) {
  for (const auto& [path, entry] : entries) {
    if (entry.kind == Kind::kDirectory) tree.Directory(path);
    if (entry.kind == Kind::kFile) tree.File(path, entry.content);
    if (entry.kind == Kind::kLink) tree.Link(path, entry.content);
  }
}

struct RecordedHost {
  SysfsTree tree;
  FakeKernel kernel;

  RecordedHost() {
    tree.Directory("sys/bus/vdpa/devices");
    tree.File("sys/kernel/uevent_seqnum", "7\n");
    kernel.mgmt_devices = {{"", "vdpasim_net", 2}};
  }
  void Add(const std::string& name) {
    tree.VdpaDevice("", name);
    kernel.devices.push_back({.name = name, .mgmt_name = "vdpasim_net", .device_id = 1});
  }
  /// Reads the host with all that is remembered of it, and the same of what was remembered.
  std::pair<Snapshot, Snapshot> ReadTwice(bool live = true) {
    const auto root = Recorded(live ? tree.Live() : tree.Captured());
    const ChannelFactory open = kernel.Factory();
    VdpaFamily family([&open, &root]() -> Result<std::unique_ptr<NetlinkChannel>> {
      return std::make_unique<RecordingChannel>(*open(), root->Recorded());
    });
    Snapshot first = TakeSnapshot(*root, family, {}, Later()).value();
    CHECK(root->Recorded()->Withheld().empty());
    SysfsTree copy;
    Restore(All(*root), copy);
    const auto replayed = std::make_shared<const HostRoot>(copy.Captured());
    VdpaFamily again(VdpaChannels(replayed));
    Snapshot second = TakeSnapshot(*replayed, again, {}, Later()).value();
    // A captured tree has no events.
    second.uevent_seqnum = first.uevent_seqnum;
    return {std::move(first), std::move(second)};
  }
};

}  // namespace

TEST_CASE("what was read of a host is read again of its recording") {
  RecordedHost host;
  host.tree.PhysicalFunction({.num_vfs = 5, .iommu_group = 40});
  host.tree.Bind("pci0000:10/0000:10:00.0", "0000:11:00.1", "labnic_vf");
  for (const char* name : {"a", "b", "c", "d"}) host.Add(name);
  host.tree.BindVhost("", "a", 3);
  host.tree.BindVirtio("", "b");
  host.kernel.unmanaged = {"u"};
  host.tree.VdpaDevice("", "u");
  for (const bool live : {true, false}) {
    CAPTURE(live);
    const auto [first, second] = host.ReadTwice(live);
    CHECK(first.bus_devices.size() == 5);
    CHECK(first.pci_functions.size() == 6);
    CHECK(first == second);
  }
}

TEST_CASE("what a lost list made to be asked one by one is in the recorded list") {
  RecordedHost host;
  for (const char* name : {"a", "b", "c"}) host.Add(name);
  host.tree.VdpaDevice("", "gone");
  host.kernel.lost_dumps = 100;
  auto [first, second] = host.ReadTwice();
  CHECK(first.vdpa_devices.size() == 3);
  CHECK(first.bus_devices.size() == 3);
  CHECK_FALSE(first.consistent);
  second.consistent = first.consistent;
  second.attempts = first.attempts;
  CHECK(first == second);
}

TEST_CASE("everything lies where the kernel has it, links as links") {
  SysfsTree tree;
  tree.File("sys/devices/pci0/fn/uevent", "PCI_ID=1\n");
  tree.Link("sys/bus/pci/devices/fn", "../../../devices/pci0/fn");
  const auto root = Recorded(tree.Live());
  CHECK(root->ReadAttribute("sys/bus/pci/devices/fn/uevent").value() == "PCI_ID=1");
  const auto map = Map(*root);
  CHECK(map.at("sys/bus/pci/devices/fn") == RecordedEntry{Kind::kLink, "../../../devices/pci0/fn"});
  CHECK(map.at("sys/devices/pci0/fn/uevent") == RecordedEntry{Kind::kFile, "PCI_ID=1\n"});
  CHECK(map.at("sys/devices/pci0/fn") == RecordedEntry{Kind::kDirectory});
  CHECK_FALSE(map.contains("sys/bus/pci/devices/fn/uevent"));
}

TEST_CASE("of each place the latest look counts") {
  SysfsTree tree;
  tree.Link("sys/bus/vdpa/devices/a", "../../../devices/a");
  tree.File("sys/devices/a/dev", "1:1\n");
  const auto root = Recorded(tree.Live());
  REQUIRE(root->List("sys/bus/vdpa/devices"));
  REQUIRE(root->ReadAttribute("sys/bus/vdpa/devices/a/dev"));
  CHECK(Map(*root).contains("sys/devices/a/dev"));

  tree.Remove("sys/devices/a/dev");
  CHECK_FALSE(root->ReadAttribute("sys/bus/vdpa/devices/a/dev"));
  CHECK_FALSE(Map(*root).contains("sys/devices/a/dev"));

  tree.Remove("sys/bus/vdpa/devices/a");
  tree.Link("sys/bus/vdpa/devices/b", "../../../devices/a");
  REQUIRE(root->List("sys/bus/vdpa/devices"));
  CHECK_FALSE(Map(*root).contains("sys/bus/vdpa/devices/a"));
  CHECK(Map(*root).contains("sys/bus/vdpa/devices/b"));

  tree.Remove("sys/bus/vdpa/devices/b");
  tree.Link("sys/bus/vdpa/devices/b", "../../../devices/elsewhere");
  REQUIRE(root->List("sys/bus/vdpa/devices"));
  CHECK(Map(*root).at("sys/bus/vdpa/devices/b").content == "../../../devices/elsewhere");
}

TEST_CASE("a link that leads nowhere stays one, and a loop ends") {
  SysfsTree tree;
  tree.Link("sys/dangling", "nowhere");
  tree.Link("sys/loop", "loop");
  const auto root = Recorded(tree.Captured());
  CHECK(root->ReadLink("sys/dangling").value() == "nowhere");
  CHECK_FALSE(root->Exists("sys/dangling").value());
  CHECK_FALSE(root->ReadAttribute("sys/loop/x"));
  CHECK(Map(*root).at("sys/dangling") == RecordedEntry{Kind::kLink, "nowhere"});
}

TEST_CASE("links of a captured tree never lead out of it while they are recorded") {
  SysfsTree tree;
  SysfsTree outside;
  outside.File("sys/devices/a/dev", "6:6\n");
  tree.Link("sys/climbing", "../../../../../../../../.." + outside.Path() + "/sys/devices/a");
  tree.Directory("sys/bus/vdpa/devices");
  tree.Link("sys/bus/vdpa/devices/a", outside.Path() + "/sys/devices/a");
  const auto root = Recorded(tree.Captured());
  REQUIRE(root->List("sys/bus/vdpa/devices"));
  CHECK_FALSE(root->Exists("sys/climbing").value());
  CHECK_FALSE(root->ReadAttribute("sys/bus/vdpa/devices/a/dev"));
  for (const auto& [path, entry] : All(*root)) {
    CAPTURE(path);
    CHECK(path.starts_with("sys"));
    CHECK(entry.kind != Kind::kFile);
  }
}

TEST_CASE("nothing is kept that is not on the list, and what was asked for is told") {
  SysfsTree tree;
  tree.File("etc/shadow", "secret");
  tree.File("sys/devices/a/serial_number", "secret\n");
  tree.File("proc/self/status",
            "Name:\tsecret\nUid:\t1000\nCapEff:\t0000000000000000\nSeccomp:\t0\n");
  tree.File("proc/self/uid_map", "         0       1000          1\n");
  const auto root = Recorded(tree.Captured());
  REQUIRE(root->ReadFile("etc/shadow", 100));
  REQUIRE(root->ReadAttribute("sys/devices/a/serial_number"));
  REQUIRE(root->ReadFile("proc/self/status", 1000));
  REQUIRE(root->ReadFile("proc/self/uid_map", 1000));
  REQUIRE(root->Exists("etc/shadow"));
  REQUIRE(root->List("etc"));
  REQUIRE(root->NodeNumber("etc/shadow"));
  CHECK(root->Recorded()->Withheld() ==
        std::set<std::string>{"etc", "etc/shadow", "sys/devices/a/serial_number"});
  const auto map = Map(*root);
  CHECK(map.at("proc/self/status").content == "CapEff:\t0000000000000000\n");
  CHECK(map.at("proc/self/uid_map").content.empty());
  for (const auto& [path, entry] : map) CHECK_FALSE(entry.content.contains("secret"));
}

TEST_CASE("the initial user namespace is told as it is, and of limits and status one line each") {
  const std::string map = "         0          0 4294967295\n";
  CHECK(RecordableContent("proc/self/uid_map", map) == map);
  CHECK(RecordableContent("proc/self/uid_map", "0 0 4294967295\n1 1 1\n") == "");
  CHECK(RecordableContent("proc/self/status", "Name:\tx") == "");
  CHECK(
      RecordableContent("proc/self/limits",
                        "Limit  Soft  Hard  Units\nMax locked memory  1  2  bytes\nMax files  3") ==
      "Max locked memory  1  2  bytes\n");
  CHECK_FALSE(RecordableContent("sys/devices", "x"));
  CHECK_FALSE(RecordableContent("sys/devicesx/dev", "x"));
}

TEST_CASE("nodes keep their number in a plain file") {
  SysfsTree tree;
  tree.File("dev/vhost-vdpa-0", "");
  tree.File("dev/vhost-vdpa-1", "250:1\n");
  for (const bool live : {true, false}) {
    CAPTURE(live);
    const auto root = Recorded(live ? tree.Live() : tree.Captured());
    REQUIRE(root->NodeNumber("dev/vhost-vdpa-0"));
    REQUIRE(root->NodeNumber("dev/vhost-vdpa-1"));
    CHECK_FALSE(root->NodeNumber("dev/vhost-vdpa-2"));
    const auto map = Map(*root);
    // A live host's plain file is no node; a captured one may be any.
    CHECK(map.at("dev/vhost-vdpa-0").content == (live ? "0:0\n" : ""));
    CHECK(map.at("dev/vhost-vdpa-1").content == (live ? "0:0\n" : "250:1\n"));
    CHECK_FALSE(map.contains("dev/vhost-vdpa-2"));
  }
}

TEST_CASE("entries are handed out in pieces, every directory before what is in it") {
  SysfsTree tree;
  for (const char* name : {"a", "b", "c"}) tree.Directory(std::string("sys/devices/") + name);
  const auto root = Recorded(tree.Live());
  REQUIRE(root->List("sys/devices"));
  std::string after;
  std::string all;
  for (;;) {
    const auto piece = root->Recorded()->After(after, 2);
    if (piece.empty()) break;
    CHECK(piece.size() <= 2);
    for (const auto& [path, entry] : piece) all += path + " ";
    after = piece.back().first;
  }
  CHECK(all == "sys sys/devices sys/devices/a sys/devices/b sys/devices/c ");
}
