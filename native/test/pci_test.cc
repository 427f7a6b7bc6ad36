#include "core/pci.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>

#include "core/pci_address.h"
#include "support/sysfs_tree.h"

using namespace vdpa;
using vdpa::test::PfSpec;
using vdpa::test::SysfsTree;

namespace {

Deadline Later() { return std::chrono::steady_clock::now() + std::chrono::seconds(30); }

const std::string kParent = "pci0000:10/0000:10:00.0";

std::map<std::string, PciFunction> Read(const HostRoot& root,
                                        std::vector<std::string> carriers = {}) {
  std::map<std::string, PciFunction> rows;
  auto read = ReadPciFunctions(root, carriers, Later());
  for (PciFunction& row : read.value()) {
    rows.emplace(row.address, std::move(row));
  }
  return rows;
}

}  // namespace

TEST_CASE("a host without PCI has no functions") {
  SysfsTree tree;
  CHECK(Read(tree.Live()).empty());
  CHECK(Read(tree.Captured(), {"0000:11:00.1"}).empty());
}

TEST_CASE("PFs and their VFs are found, other functions are left out") {
  SysfsTree tree;
  tree.Function("pci0000:10", "0000:10:00.0", "1B36:000C", "pcieport");
  tree.PhysicalFunction({.total_vfs = 16, .num_vfs = 3, .iommu_group = 20});
  tree.Bind(kParent, "0000:11:00.1", "mlx5_core");
  tree.Bind(kParent, "0000:11:00.2", "mlx5_core");
  for (const bool live : {true, false}) {
    CAPTURE(live);
    const auto rows = Read(live ? tree.Live() : tree.Captured());
    REQUIRE(rows.size() == 4);
    CHECK(rows.at("0000:11:00.0") == PciFunction{.address = "0000:11:00.0",
                                                 .vendor_id = 0x15b3,
                                                 .device_id = 0x101d,
                                                 .subsystem_vendor_id = 0x15b3,
                                                 .subsystem_device_id = 0x16,
                                                 .pci_class = 0x20000,
                                                 .revision = 1,
                                                 .driver = "mlx5_core",
                                                 .numa_node = 1,
                                                 .iommu_group = 20,
                                                 .sriov = SriovCapability{16, 3}});
    CHECK(rows.at("0000:11:00.2") == PciFunction{.address = "0000:11:00.2",
                                                 .vendor_id = 0x15b3,
                                                 .device_id = 0x101e,
                                                 .subsystem_vendor_id = 0x15b3,
                                                 .subsystem_device_id = 0x16,
                                                 .pci_class = 0x20000,
                                                 .revision = 1,
                                                 .driver = "mlx5_core",
                                                 .numa_node = 1,
                                                 .iommu_group = 22,
                                                 .pf_address = "0000:11:00.0",
                                                 .vf_index = 1});
    CHECK(rows.at("0000:11:00.3").driver.empty());
  }
}

TEST_CASE("functions come in order of address") {
  SysfsTree tree;
  tree.PhysicalFunction({.parent = "pci10000:e0", .address = "10000:e1:00.0", .num_vfs = 2});
  tree.PhysicalFunction({.parent = "pciffff:00", .address = "ffff:01:00.0", .num_vfs = 12});
  const auto rows = ReadPciFunctions(tree.Live(), {}, Later()).value();
  REQUIRE(rows.size() == 16);
  CHECK(rows[1].address == "ffff:01:00.1");
  CHECK(rows[12].address == "ffff:01:01.4");
  CHECK(rows[13].address == "10000:e1:00.0");
  CHECK(rows[15].pf_address == "10000:e1:00.0");
}

TEST_CASE("VFs run on into the next bus") {
  SysfsTree tree;
  tree.PhysicalFunction({.total_vfs = 300, .num_vfs = 300});
  const auto rows = Read(tree.Live());
  CHECK(rows.size() == 301);
  CHECK(rows.at("0000:12:00.0").vf_index == 255);
  CHECK(rows.at("0000:12:05.4").vf_index == 299);
}

TEST_CASE("two PFs of one card interleave their VFs") {
  SysfsTree tree;
  tree.PhysicalFunction({.num_vfs = 4, .offset = 128, .stride = 2});
  tree.PhysicalFunction({.address = "0000:11:00.1", .num_vfs = 4, .offset = 128, .stride = 2});
  const auto rows = Read(tree.Live());
  CHECK(rows.size() == 10);
  CHECK(rows.at("0000:11:10.2").pf_address == "0000:11:00.0");
  CHECK(rows.at("0000:11:10.2").vf_index == 1);
  CHECK(rows.at("0000:11:10.3").pf_address == "0000:11:00.1");
  CHECK(rows.at("0000:11:10.3").vf_index == 1);
}

TEST_CASE("the links tell the VFs where offset and stride do not") {
  SysfsTree tree;
  tree.PhysicalFunction({.num_vfs = 3, .offset = 4, .stride = 2});
  const std::string pf = "sys/devices/" + kParent + "/0000:11:00.0/";
  SUBCASE("old kernels have no such files") {
    tree.Remove(pf + "sriov_offset");
    tree.Remove(pf + "sriov_stride");
    tree.Remove(pf + "sriov_vf_device");
  }
  SUBCASE("the numbers were read while they changed") { tree.File(pf + "sriov_offset", "1\n"); }
  SUBCASE("first and last agree only by both numbers") {
    tree.File(pf + "sriov_offset", "6\n");
    tree.File(pf + "sriov_stride", "1\n");
  }
  SUBCASE("the numbers lead out of the domain") { tree.File(pf + "sriov_stride", "65535\n"); }
  const auto rows = Read(tree.Live());
  CHECK(rows.size() == 4);
  CHECK(rows.at("0000:11:00.4").vf_index == 0);
  CHECK(rows.at("0000:11:00.6").vf_index == 1);
  CHECK(rows.at("0000:11:01.0").vf_index == 2);
}

TEST_CASE("what is on its way out is skipped") {
  SysfsTree tree;
  tree.PhysicalFunction({.num_vfs = 4});
  const std::string devices = "sys/devices/" + kParent + "/";
  SUBCASE("a VF that left the listing") {
    tree.Remove("sys/bus/pci/devices/0000:11:00.2");
    CHECK(Read(tree.Live()).size() == 4);
  }
  SUBCASE("the first VF, whose directory is gone") {
    tree.Remove(devices + "0000:11:00.1");
    const auto rows = Read(tree.Live());
    CHECK(rows.size() == 4);
    CHECK(rows.at("0000:11:00.4").device_id == 0x101e);
    CHECK(rows.at("0000:11:00.4").vf_index == 3);
  }
  SUBCASE("a later VF, whose directory is gone") {
    tree.Remove(devices + "0000:11:00.3");
    const auto rows = Read(tree.Captured());
    CHECK_FALSE(rows.contains("0000:11:00.3"));
    CHECK(rows.size() == 4);
  }
  SUBCASE("the last VFs, whose links are gone") {
    for (const char* n : {"3", "4"}) {
      tree.Remove(devices + "0000:11:00." + n);
      tree.Remove("sys/bus/pci/devices/0000:11:00." + std::string(n));
    }
    tree.Remove(devices + "0000:11:00.0/virtfn2");
    tree.Remove(devices + "0000:11:00.0/virtfn3");
    const auto rows = Read(tree.Live());
    CHECK(rows.size() == 3);
    CHECK(rows.at("0000:11:00.2").vf_index == 1);
  }
  SUBCASE("all VFs") {
    for (const char* n : {"1", "2", "3", "4"}) tree.Remove(devices + "0000:11:00." + n);
    CHECK(Read(tree.Live()).size() == 1);
  }
  SUBCASE("the PF") {
    tree.Remove(devices + "0000:11:00.0/uevent");
    CHECK(Read(tree.Live()).empty());
  }
}

TEST_CASE("what takes the device lock is never read for the inventory") {
  SysfsTree tree;
  tree.PhysicalFunction({.num_vfs = 2});
  tree.Function("pci0000:00", "0000:00:05.0", "1AF4:1041", "vp-vdpa");
  // Directories in their place: whoever reads them fails.
  const std::vector<std::string> functions = {"pci0000:00/0000:00:05.0", kParent + "/0000:11:00.0",
                                              kParent + "/0000:11:00.1", kParent + "/0000:11:00.2"};
  for (const std::string& function : functions) {
    for (const char* name : {"driver_override", "sriov_numvfs"}) {
      tree.Remove("sys/devices/" + function + "/" + name);
      tree.Directory("sys/devices/" + function + "/" + name);
    }
  }
  CHECK(Read(tree.Live(), {"0000:00:05.0"}).size() == 4);
  CHECK(ReadDriverOverride(tree.Live(), "0000:11:00.1").error().errno_value == EISDIR);
}

TEST_CASE("the number of VFs is that of the links") {
  SysfsTree tree;
  tree.PhysicalFunction({.num_vfs = 4});
  const std::string pf = "sys/devices/" + kParent + "/0000:11:00.0/";
  tree.Link(pf + "virtfnX", "../0000:11:00.1");
  tree.Link(pf + "virtfn70000", "../0000:11:00.1");
  SUBCASE("all") { CHECK(Read(tree.Live()).at("0000:11:00.0").sriov->num_vfs == 4); }
  SUBCASE("the first two are on their way out") {
    tree.Remove(pf + "virtfn0");
    tree.Remove(pf + "virtfn1");
    const auto rows = Read(tree.Live());
    CHECK(rows.size() == 3);
    CHECK(rows.at("0000:11:00.0").sriov->num_vfs == 2);
    CHECK(rows.at("0000:11:00.3").vf_index == 2);
    CHECK(rows.at("0000:11:00.4").vf_index == 3);
  }
  SUBCASE("more than the bus has functions") {
    for (int n = 4; n < 100; ++n) tree.Link(pf + "virtfn" + std::to_string(n), "../0000:11:00.1");
    CHECK(Read(tree.Captured()).at("0000:11:00.0").sriov->num_vfs == 5);
  }
}

TEST_CASE("the deadline ends the reading between two functions") {
  SysfsTree tree;
  tree.PhysicalFunction({.num_vfs = 4});
  const Deadline over = std::chrono::steady_clock::now();
  CHECK(ReadPciFunctions(tree.Captured(), {}, over).error().fault == Fault::kTimeout);
  CHECK(ReadPciFunctions(tree.Captured(), {}, Later())->size() == 5);
}

TEST_CASE("the deadline ends a long reading in its midst") {
  SysfsTree tree;
  SUBCASE("of functions that are neither PFs nor VFs") {
    for (unsigned number = 0; number < 2000; ++number) {
      const PciAddress address = VfAddress(*ParsePciAddress("0000:11:00.0"), 0, 1, number).value();
      tree.Directory("sys/bus/pci/devices/" + FormatPciAddress(address));
    }
  }
  SUBCASE("of VFs") { tree.PhysicalFunction({.total_vfs = 300, .num_vfs = 300}); }
  const HostRoot root = tree.Captured();
  // A quarter of the shortest of several readings is never enough for another.
  auto whole = std::chrono::steady_clock::duration::max();
  for (int reading = 0; reading < 8; ++reading) {
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(ReadPciFunctions(root, {}, Later()));
    whole = std::min(whole, std::chrono::steady_clock::now() - begin);
  }
  const auto read = ReadPciFunctions(root, {}, std::chrono::steady_clock::now() + whole / 4);
  REQUIRE_FALSE(read);
  CHECK(read.error().fault == Fault::kTimeout);
}

TEST_CASE("a driver override is what an administrator wrote, or unset") {
  SysfsTree tree;
  tree.PhysicalFunction({.num_vfs = 4});
  const std::string devices = "sys/devices/" + kParent + "/";
  tree.File(devices + "0000:11:00.1/driver_override", "vfio-pci\n");
  tree.File(devices + "0000:11:00.2/driver_override", "(null)\n");
  tree.File(devices + "0000:11:00.3/driver_override", "\n");
  tree.Remove(devices + "0000:11:00.4/driver_override");
  const HostRoot root = tree.Captured();
  CHECK(ReadDriverOverride(root, "0000:11:00.1").value() == "vfio-pci");
  for (const char* unset : {"0000:11:00.2", "0000:11:00.3", "0000:11:00.4"}) {
    CAPTURE(unset);
    CHECK_FALSE(ReadDriverOverride(root, unset).value());
  }
  CHECK(ReadDriverOverride(root, "0000:99:00.1").error().fault == Fault::kGone);
  CHECK(ReadDriverOverride(root, "../../x").error().fault == Fault::kMalformed);
}

TEST_CASE("drivers are told apart, and learnt from one listing each") {
  SysfsTree tree;
  tree.PhysicalFunction({.num_vfs = 6});
  for (const char* n : {"1", "2"}) tree.Bind(kParent, std::string("0000:11:00.") + n, "mlx5_core");
  for (const char* n : {"3", "4"}) tree.Bind(kParent, std::string("0000:11:00.") + n, "vfio-pci");
  // Bound after the driver's directory was listed, and a driver without a directory.
  tree.Remove("sys/bus/pci/drivers/vfio-pci/0000:11:00.4");
  tree.Bind(kParent, "0000:11:00.5", "odd");
  tree.Remove("sys/bus/pci/drivers/odd");
  const auto rows = Read(tree.Live());
  CHECK(rows.at("0000:11:00.2").driver == "mlx5_core");
  CHECK(rows.at("0000:11:00.3").driver == "vfio-pci");
  CHECK(rows.at("0000:11:00.4").driver == "vfio-pci");
  CHECK(rows.at("0000:11:00.5").driver == "odd");
  CHECK(rows.at("0000:11:00.6").driver.empty());
}

TEST_CASE("an unknown NUMA node is unset") {
  SysfsTree tree;
  tree.PhysicalFunction({.num_vfs = 1, .numa_node = "-1"});
  CHECK_FALSE(Read(tree.Live()).at("0000:11:00.0").numa_node);
  CHECK_FALSE(Read(tree.Live()).at("0000:11:00.1").numa_node);
  tree.Remove("sys/devices/" + kParent + "/0000:11:00.0/numa_node");
  CHECK_FALSE(Read(tree.Live()).at("0000:11:00.1").numa_node);
}

TEST_CASE("carriers are read whatever they are, each once") {
  SysfsTree tree;
  tree.Function("pci0000:00", "0000:00:05.0", "1AF4:1041", "vp-vdpa");
  tree.File("sys/devices/pci0000:00/0000:00:05.0/numa_node", "0\n");
  tree.Function("pci0000:00", "0000:00:06.0", "15B3:101E");
  tree.Link("sys/devices/pci0000:00/0000:00:06.0/physfn", "../0000:00:04.0");
  tree.Link("sys/devices/pci0000:00/0000:00:05.0/iommu_group", "../../kernel/iommu_groups/7");
  tree.PhysicalFunction({.num_vfs = 1});
  const auto rows = Read(tree.Live(), {"0000:00:05.0", "0000:00:05.0", "0000:00:06.0",
                                       "0000:00:07.0", "nonsense", "0000:11:00.0", "0000:11:00.1"});
  CHECK(rows.size() == 4);
  CHECK(rows.at("0000:00:05.0").driver == "vp-vdpa");
  CHECK(rows.at("0000:00:05.0").numa_node == 0);
  CHECK(rows.at("0000:00:05.0").iommu_group == 7);
  CHECK(rows.at("0000:00:05.0").pf_address.empty());
  CHECK_FALSE(rows.at("0000:00:05.0").sriov);
  CHECK(rows.at("0000:00:06.0").pf_address == "0000:00:04.0");
  CHECK_FALSE(rows.at("0000:00:06.0").vf_index);
  CHECK(rows.at("0000:11:00.1").vf_index == 0);
}

TEST_CASE("a function that can have no VFs is no PF") {
  SysfsTree tree;
  tree.PhysicalFunction({.total_vfs = 0});
  CHECK(Read(tree.Live()).empty());
}

TEST_CASE("text that no kernel writes is an error, not a guess") {
  SysfsTree tree;
  tree.PhysicalFunction({.num_vfs = 2});
  const std::string devices = "sys/devices/" + kParent + "/";
  SUBCASE("uevent") { tree.File(devices + "0000:11:00.1/uevent", "garbage"); }
  SUBCASE("total") { tree.File(devices + "0000:11:00.0/sriov_totalvfs", "many\n"); }
  SUBCASE("revision") { tree.File(devices + "0000:11:00.0/revision", "0x100\n"); }
  CHECK(ReadPciFunctions(tree.Captured(), {}, Later()).error().fault == Fault::kMalformed);
}
