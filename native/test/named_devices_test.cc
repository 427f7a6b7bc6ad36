#include "core/named_devices.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "core/vdpa_family.h"
#include "support/snapshot_host.h"

using namespace vdpa;
using vdpa::test::Later;
using vdpa::test::SnapshotHost;
using vdpa::test::Strings;

namespace {

Result<NamedDevices> Read(SnapshotHost& host, const std::vector<std::string>& names,
                          Deadline deadline = Later()) {
  VdpaFamily family(host.kernel.Factory());
  return ReadNamedDevices(host.tree.Live(), family, names, deadline);
}

template <typename Row>
Strings NamesOf(const std::vector<Row>& rows) {
  Strings names;
  for (const Row& row : rows) names.push_back(row.name);
  return names;
}

}  // namespace

TEST_CASE("named devices have both their rows, in the order of the names, and no others have any") {
  SnapshotHost host;
  for (const char* name : {"a", "b", "c"}) host.Add(name);
  host.tree.BindVhost("", "c", 3);
  const NamedDevices devices = Read(host, {"c", "a"}).value();
  CHECK(NamesOf(devices.bus_devices) == Strings{"c", "a"});
  CHECK(NamesOf(devices.vdpa_devices) == Strings{"c", "a"});
  CHECK(devices.bus_devices.front().driver == "vhost_vdpa");
  CHECK(devices.vdpa_devices.front().mgmt_name == "vdpasim_net");
  CHECK(host.kernel.asked == Strings{"c", "a"});
  CHECK(host.kernel.dumps == 0);
}

TEST_CASE("a named device is exactly what a snapshot has of it") {
  SnapshotHost host;
  host.Add("a");
  host.tree.BindVhost("", "a", 7);
  const Snapshot snapshot = host.Take();
  const NamedDevices devices = Read(host, {"a"}).value();
  CHECK(devices.bus_devices == snapshot.bus_devices);
  CHECK(devices.vdpa_devices == snapshot.vdpa_devices);
}

TEST_CASE("a named device that is gone has no row") {
  SnapshotHost host;
  host.Add("a");
  const NamedDevices devices = Read(host, {"gone", "a"}).value();
  CHECK(NamesOf(devices.bus_devices) == Strings{"a"});
  CHECK(NamesOf(devices.vdpa_devices) == Strings{"a"});
}

TEST_CASE("a device that goes between the family's answer and the bus has no row in either") {
  SnapshotHost host;
  host.Add("a");
  host.tree.RemoveVdpaDevice("", "a");
  const NamedDevices devices = Read(host, {"a"}).value();
  CHECK(host.kernel.asked == Strings{"a"});
  CHECK(devices.bus_devices.empty());
  CHECK(devices.vdpa_devices.empty());
}

TEST_CASE("a device of which the family does not tell is on the bus only") {
  SnapshotHost host;
  host.tree.VdpaDevice("", "eni");
  SUBCASE("since it has no management device") { host.kernel.unmanaged.insert("eni"); }
  SUBCASE("since the question is not for it") { host.kernel.refused = {{"eni", EOPNOTSUPP}}; }
  SUBCASE("since it is not known there, yet or any more") {}
  SUBCASE("since there is no family") { host.kernel.has_family = false; }
  const NamedDevices devices = Read(host, {"eni"}).value();
  CHECK(NamesOf(devices.bus_devices) == Strings{"eni"});
  CHECK(devices.vdpa_devices.empty());
}

TEST_CASE("a family that is not there is looked for once: each question may load a module") {
  SnapshotHost host;
  for (const char* name : {"a", "b", "c"}) host.Add(name);
  host.kernel.has_family = false;
  const NamedDevices devices = Read(host, {"a", "b", "c"}).value();
  CHECK(NamesOf(devices.bus_devices) == Strings{"a", "b", "c"});
  CHECK(devices.vdpa_devices.empty());
  CHECK(host.kernel.family_lookups == 1);
}

TEST_CASE("any other refusal for a named device is an error of the whole") {
  SnapshotHost host;
  host.Add("a");
  host.Add("b");
  host.kernel.refused = {{"b", EPERM}};
  CHECK(Read(host, {"a", "b"}).error().errno_value == EPERM);
}

TEST_CASE("without the vdpa bus there are no named devices, and nobody is asked") {
  SnapshotHost host;
  host.tree.Remove("sys/bus/vdpa");
  const NamedDevices devices = Read(host, {"a"}).value();
  CHECK(devices.bus_devices.empty());
  CHECK(host.kernel.channels == 0);
}

TEST_CASE("no names are no devices") {
  SnapshotHost host;
  host.Add("a");
  const NamedDevices devices = Read(host, {}).value();
  CHECK(devices.bus_devices.empty());
  CHECK(devices.vdpa_devices.empty());
  CHECK(host.kernel.channels == 0);
}
