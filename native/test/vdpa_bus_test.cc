#include "core/vdpa_bus.h"

#include <doctest/doctest.h>

#include <map>

#include "core/netdev.h"
#include "core/pci_carriers.h"
#include "core/scalable_function.h"
#include "support/sysfs_tree.h"

using namespace vdpa;
using vdpa::test::SysfsTree;

namespace {

const std::string kVf1 = "pci0000:10/0000:10:00.0/0000:11:00.1";
const std::string kVf2 = "pci0000:10/0000:10:00.0/0000:11:00.2";
const std::string kSf = "pci0000:10/0000:10:00.0/0000:11:00.0/mlx5_core.sf.4";

std::map<std::string, BusDevice> Read(const HostRoot& root) {
  std::map<std::string, BusDevice> rows;
  auto read = ReadBusDevices(root);
  for (BusDevice& row : read.value().value()) rows.emplace(row.name, std::move(row));
  return rows;
}

}  // namespace

TEST_CASE("a kernel without the bus is told from an empty bus") {
  SysfsTree tree;
  CHECK_FALSE(HasVdpaBus(tree.Live()).value());
  CHECK_FALSE(ReadBusDevices(tree.Live()).value().has_value());
  tree.Directory("sys/bus/vdpa/devices");
  CHECK(HasVdpaBus(tree.Live()).value());
  CHECK(ReadBusDevices(tree.Live()).value().value().empty());
}

TEST_CASE("devices of every kind are found with parent, driver and char device") {
  SysfsTree tree;
  tree.VdpaDevice(kVf1, "vdpa0");
  tree.BindVhost(kVf1, "vdpa0", 0);
  tree.VdpaDevice("", "sim0");
  tree.BindVhost("", "sim0", 12);
  tree.VdpaDevice(kVf2, "host");
  tree.BindVirtio(kVf2, "host");
  tree.VdpaDevice(kSf, "sfdev");
  tree.VdpaDevice("virtual/vduse/d0", "d0");
  tree.BindVhost("virtual/vduse/d0", "d0", 3);
  const std::string longest(255, 'n');
  tree.VdpaDevice("", longest);
  tree.BindVhost("", longest, 4);
  tree.Remove("dev/vhost-vdpa-3");
  const auto rows = Read(tree.Captured());
  CHECK(rows.size() == 6);
  CHECK(rows.at("vdpa0") == BusDevice{"vdpa0", kVf1, "vhost_vdpa",
                                      CharDevice{"vhost-vdpa-0", 250, 0, NodeState::kThere}});
  CHECK(rows.at("sim0") == BusDevice{"sim0", "", "vhost_vdpa",
                                     CharDevice{"vhost-vdpa-12", 250, 12, NodeState::kThere}});
  CHECK(rows.at("host") == BusDevice{"host", kVf2, "virtio_vdpa", std::nullopt});
  CHECK(rows.at("sfdev") == BusDevice{"sfdev", kSf, "", std::nullopt});
  CHECK(rows.at("d0") == BusDevice{"d0", "virtual/vduse/d0", "vhost_vdpa",
                                   CharDevice{"vhost-vdpa-3", 250, 3, NodeState::kMissing}});
  CHECK(rows.at(longest).char_device->minor == 4);
}

TEST_CASE("on a live root only a character device with the right number is the node") {
  SysfsTree tree;
  tree.VdpaDevice("", "sim0");
  tree.BindVhost("", "sim0", 1);
  const auto node = [&](const HostRoot& root) { return Read(root).at("sim0").char_device->node; };
  CHECK(node(tree.Live()) == NodeState::kMismatch);
  CHECK(node(tree.Captured()) == NodeState::kThere);
  tree.Remove("dev/vhost-vdpa-1");
  tree.Link("dev/vhost-vdpa-1", "/dev/null");
  CHECK(node(tree.Live()) == NodeState::kMismatch);
  tree.Remove("dev");
  CHECK(node(tree.Live()) == NodeState::kMissing);
  CHECK(node(tree.Captured()) == NodeState::kMissing);
}

TEST_CASE("a node with the device's number is there") {
  SysfsTree tree;
  tree.VdpaDevice("", "sim0");
  tree.BindVhost("", "sim0", 1);
  // The numbers of /dev/null, since a test cannot make nodes.
  tree.Remove("sys/dev");
  tree.File("sys/devices/sim0/vhost-vdpa-1/dev", "1:3\n");
  tree.Remove("dev/vhost-vdpa-1");
  tree.Link("dev/vhost-vdpa-1", "/dev/null");
  CHECK(Read(tree.Live()).at("sim0").char_device->node == NodeState::kThere);
}

TEST_CASE("a tree without sys/dev/char or proc/devices tells the same") {
  SysfsTree tree;
  tree.VdpaDevice(kVf1, "vdpa0");
  tree.BindVhost(kVf1, "vdpa0", 7);
  tree.VdpaDevice(kVf2, "host");
  tree.BindVirtio(kVf2, "host");
  const auto whole = Read(tree.Captured());
  SUBCASE("proc/devices") { tree.Remove("proc"); }
  SUBCASE("proc/devices, cut short") { tree.File("proc/devices", "Character devices:\n  1 mem\n"); }
  SUBCASE("sys/dev/char") { tree.Remove("sys/dev"); }
  SUBCASE("the device's own link") { tree.Remove("sys/dev/char/250:7"); }
  SUBCASE("and driver links that were not followed") {
    tree.Remove("sys/dev");
    tree.Remove("sys/devices/" + kVf1 + "/vdpa0/driver");
  }
  CHECK(Read(tree.Captured()) == whole);
}

TEST_CASE("a device whose number is not told has no char device") {
  SysfsTree tree;
  tree.VdpaDevice("", "sim0");
  tree.BindVhost("", "sim0", 1);
  tree.Remove("sys/dev");
  tree.Remove("sys/devices/sim0/vhost-vdpa-1/dev");
  CHECK_FALSE(Read(tree.Captured()).at("sim0").char_device);
  tree.File("sys/devices/sim0/vhost-vdpa-1/dev", "many\n");
  CHECK(ReadBusDevices(tree.Captured()).error().fault == Fault::kMalformed);
}

TEST_CASE("devices that come or go during the reading do no harm") {
  SysfsTree tree;
  tree.VdpaDevice("", "sim0");
  tree.BindVhost("", "sim0", 1);
  SUBCASE("a char device of a device that was not listed") {
    tree.Remove("sys/bus/vdpa/devices/sim0");
    CHECK(Read(tree.Live()).empty());
  }
  SUBCASE("a char device that went: the driver is still letting go") {
    tree.Remove("sys/dev/char/250:1");
    tree.Remove("sys/devices/sim0/vhost-vdpa-1");
    CHECK(Read(tree.Live()).at("sim0") == BusDevice{"sim0", "", "vhost_vdpa", std::nullopt});
  }
  SUBCASE("links of other drivers and odd names") {
    tree.Link("sys/dev/char/250:x", "../../devices/sim0/vhost-vdpa-1");
    tree.Link("sys/dev/char/250:9", "../../devices/virtual/tty/tty9");
    tree.Link("sys/dev/char/2500:1", "../../devices/other/vhost-vdpa-1");
    CHECK(Read(tree.Live()).at("sim0").char_device->minor == 1);
  }
}

TEST_CASE("SFs are found above devices and among management devices") {
  SysfsTree tree;
  tree.File("sys/devices/" + kSf + "/sfnum", "88\n");
  tree.Link("sys/bus/auxiliary/devices/mlx5_core.sf.4", "../../../devices/" + kSf);
  const std::string other = "pci0000:20/0000:21:00.0/mlx5_core.sf.5";
  tree.Link("sys/bus/auxiliary/devices/mlx5_core.sf.5", "../../../devices/" + other);
  const std::vector<BusDevice> devices = {{"a", kSf}, {"b", kSf}, {"c", kVf1}};
  const std::vector<MgmtDevice> mgmt = {
      {"auxiliary", "mlx5_core.sf.4"}, {"auxiliary", "mlx5_core.sf.5"},
      {"auxiliary", "mlx5_core.sf.6"}, {"auxiliary", "pds_core.vDPA.1"},
      {"pci", "0000:11:00.1"},         {"", "vduse"}};
  const auto functions = ReadScalableFunctions(tree.Live(), devices, mgmt).value();
  REQUIRE(functions.size() == 2);
  CHECK(functions[0] == ScalableFunction{"mlx5_core.sf.4", "0000:11:00.0", 88});
  CHECK(functions[1] == ScalableFunction{"mlx5_core.sf.5", "0000:21:00.0", std::nullopt});
}

TEST_CASE("carriers are the functions above devices, SFs and management devices") {
  SysfsTree tree;
  tree.Link("sys/bus/auxiliary/devices/pds_core.vDPA.1",
            "../../../devices/pci0000:20/0000:21:00.3/pds_core.vDPA.1");
  Snapshot snapshot;
  snapshot.bus_devices = {{"c", kVf1}, {"sim0", ""}};
  snapshot.mgmt_devices = {{"pci", "0000:30:00.1"},       {"auxiliary", "pds_core.vDPA.1"},
                           {"auxiliary", "gone.x.1"},     {"auxiliary", "mlx5_core.sf.4"},
                           {"auxiliary", "0000:21:00.3"}, {"", "vdpasim_net"}};
  snapshot.scalable_functions = {{"mlx5_core.sf.4", "0000:11:00.0"}};
  REQUIRE(PlaceMgmtDevices(tree.Live(), snapshot));
  std::vector<std::string> places;
  for (const MgmtDevice& device : snapshot.mgmt_devices) places.push_back(device.pci_address);
  CHECK(places ==
        std::vector<std::string>{"0000:30:00.1", "0000:21:00.3", "", "0000:11:00.0", "", ""});
  CHECK(FindPciCarriers(snapshot) == std::vector<std::string>{"0000:11:00.1", "0000:11:00.0",
                                                              "0000:30:00.1", "0000:21:00.3",
                                                              "0000:11:00.0"});
}

TEST_CASE("interfaces belong to the nearest PCI function") {
  SysfsTree tree;
  const auto net = [&](const std::string& path, const std::string& name) {
    tree.Link("sys/class/net/" + name, "../../devices/" + path + "/net/" + name);
  };
  net(kVf1, "direct");
  net(kVf2 + "/vf2/virtio3", "virtio");
  net(kSf, "sf");
  net("virtual", "br0");
  LinkDump dump;
  dump.links = {
      {.name = "lo", .ifindex = 1},
      {.name = "direct", .ifindex = 2, .parent_bus = "pci", .parent_name = "0000:11:00.1"},
      {.name = "virtio", .ifindex = 3, .parent_bus = "virtio", .parent_name = "virtio3"},
      {.name = "sf", .ifindex = 4, .parent_bus = "auxiliary", .parent_name = "x.sf.1"},
      {.name = "br0", .ifindex = 5},
      {.name = "gone", .ifindex = 6, .parent_bus = "virtio", .parent_name = "virtio9"}};
  dump.names_parents = true;
  SUBCASE("as the kernel says") {}
  SUBCASE("as sysfs says for a kernel that does not") {
    for (Link& link : dump.links) link.parent_bus = link.parent_name = "";
    dump.names_parents = false;
  }
  const auto netdevs = ResolveNetdevs(tree.Live(), dump).value();
  REQUIRE(netdevs.size() == 3);
  CHECK(netdevs[0] == Netdev{.name = "direct", .ifindex = 2, .pci_address = "0000:11:00.1"});
  CHECK(netdevs[1].pci_address == "0000:11:00.2");
  CHECK(netdevs[2].pci_address == "0000:11:00.0");
}
