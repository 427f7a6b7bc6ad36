#include "core/vf_devices.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/sysfs_tree.h"

using namespace vdpa;
using vdpa::test::PfSpec;
using vdpa::test::SysfsTree;

TEST_CASE("the devices of a PF's VFs are those below them, however deep, and no others") {
  SysfsTree tree;
  const std::string port = "pci0000:10/0000:10:00.0";
  tree.PhysicalFunction({.num_vfs = 2});
  tree.PhysicalFunction(
      {.parent = "pci0000:20/0000:20:00.0", .address = "0000:21:00.0", .num_vfs = 1});
  tree.VdpaDevice(port + "/0000:11:00.1", "first");
  tree.VdpaDevice(port + "/0000:11:00.2/pds_core.vDPA.1", "deep");
  tree.VdpaDevice(port + "/0000:11:00.0", "of-the-pf");
  tree.VdpaDevice("pci0000:20/0000:20:00.0/0000:21:00.1", "of-another");
  tree.VdpaDevice("virtual/sim", "sim0");
  tree.BindVhost(port + "/0000:11:00.1", "first", 3);

  const auto found = ReadVfDevices(tree.Live(), "0000:11:00.0").value();
  CHECK(found.num_vfs == 2);
  std::vector<std::string> names;
  for (const BusDevice& device : found.devices) names.push_back(device.name);
  CHECK(names == std::vector<std::string>{"deep", "first"});
  CHECK(found.devices[1].driver == "vhost_vdpa");
  CHECK(ReadVfDevices(tree.Live(), "0000:99:00.0").error().fault == Fault::kGone);
}

TEST_CASE("of the VFs that vfio-pci has the first is told") {
  SysfsTree tree;
  const std::string port = "pci0000:10/0000:10:00.0";
  tree.PhysicalFunction({.num_vfs = 4});
  CHECK(ReadVfDevices(tree.Live(), "0000:11:00.0")->passed_vf.empty());
  for (const char* vf : {"0000:11:00.4", "0000:11:00.2", "0000:11:00.3"}) {
    tree.Bind(port, vf, "vfio-pci");
  }
  tree.Bind(port, "0000:11:00.1", "labnic_vf");
  CHECK(ReadVfDevices(tree.Live(), "0000:11:00.0")->passed_vf == "0000:11:00.2");
}
