#include "core/missing_rows.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "support/snapshot_host.h"

using namespace vdpa;
using vdpa::test::BusNames;
using vdpa::test::Names;
using vdpa::test::SnapshotHost;
using vdpa::test::Strings;

TEST_CASE("one attempt is enough to lose no device") {
  SnapshotHost host;
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

TEST_CASE("a device that comes between netlink and sysfs is asked for by name") {
  SnapshotHost host;
  host.options.max_attempts = 1;
  host.Add("a");
  host.options.after_step = [&](SnapshotStep step) {
    if (step == SnapshotStep::kVdpaDevices) host.Add("b");
  };
  CHECK(Names(host.Take()) == Strings{"a", "b"});
}

TEST_CASE("a device that is gone when it is asked for is absent from the bus as well") {
  SnapshotHost host;
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

TEST_CASE("a device without a management device stays on the bus only") {
  SnapshotHost host;
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
  SnapshotHost host;
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

TEST_CASE("a refusal says that a device is not managed, anything else is an error") {
  SnapshotHost host;
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
  SnapshotHost host;
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

TEST_CASE("management devices are in order of bus and name, each with its PCI function") {
  SnapshotHost host;
  host.tree.Function("pci0000:20", "0000:21:00.3", "1DD8:1003");
  host.tree.Link("sys/bus/auxiliary/devices/pds_core.vDPA.1",
                 "../../../devices/pci0000:20/0000:21:00.3/pds_core.vDPA.1");
  host.kernel.mgmt_devices = {{"pci", "0000:11:00.2", 2},
                              {"", "vdpasim_net", 2},
                              {"pci", "0000:11:00.1", 2},
                              {"auxiliary", "pds_core.vDPA.1", 2}};
  const auto all = host.kernel.mgmt_devices;
  int reading = 0;
  SUBCASE("dumped") {}
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
  REQUIRE(snapshot.pci_functions.size() == 1);
  CHECK(snapshot.pci_functions[0].address == "0000:21:00.3");
  Strings rows;
  for (const MgmtDevice& device : snapshot.mgmt_devices) {
    rows.push_back(device.bus + "/" + device.name + " " + device.pci_address);
  }
  CHECK(rows == Strings{"/vdpasim_net ", "auxiliary/pds_core.vDPA.1 0000:21:00.3",
                        "pci/0000:11:00.1 0000:11:00.1", "pci/0000:11:00.2 0000:11:00.2"});
}

TEST_CASE("a free scalable function that was asked for late is there with its PCI function") {
  SnapshotHost host;
  host.options.max_attempts = 2;
  host.tree.Function("pci0000:20", "0000:21:00.0", "15B3:101D", "mlx5_core");
  host.tree.Link("sys/bus/auxiliary/devices/mlx5_core.sf.4",
                 "../../../devices/pci0000:20/0000:21:00.0/mlx5_core.sf.4");
  host.tree.File("sys/devices/pci0000:20/0000:21:00.0/mlx5_core.sf.4/sfnum", "88\n");
  const std::vector<MgmtDevice> all = {{"auxiliary", "mlx5_core.sf.4", 2}, {"", "vdpasim_net", 2}};
  host.kernel.mgmt_devices = all;
  bool hidden = false;
  host.options.after_step = [&](SnapshotStep step) {
    host.Event();
    // The second dump lacks what the first one told, and what answers when it is asked for.
    if (step == SnapshotStep::kNetdevs && !std::exchange(hidden, true)) {
      host.kernel.mgmt_devices = {all[1]};
    }
    if (step == SnapshotStep::kBusDevices) host.kernel.mgmt_devices = all;
  };
  host.links = [](Deadline) -> Result<LinkDump> { return LinkDump(); };
  const Snapshot snapshot = host.Take();
  CHECK_FALSE(snapshot.consistent);
  REQUIRE(snapshot.mgmt_devices.size() == 2);
  CHECK(snapshot.mgmt_devices[1].pci_address == "0000:21:00.0");
  REQUIRE(snapshot.scalable_functions.size() == 1);
  CHECK(snapshot.scalable_functions[0].sf_number == 88);
  REQUIRE(snapshot.pci_functions.size() == 1);
  CHECK(snapshot.pci_functions[0].address == "0000:21:00.0");
}
