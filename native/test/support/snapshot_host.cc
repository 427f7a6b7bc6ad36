#include "snapshot_host.h"

#include <algorithm>
#include <chrono>

namespace vdpa::test {

Deadline Later() { return std::chrono::steady_clock::now() + std::chrono::seconds(30); }

SnapshotHost::SnapshotHost() {
  tree.Directory("sys/bus/vdpa/devices");
  kernel.mgmt_devices = {{"", "vdpasim_net", 2}};
  Event();
}

void SnapshotHost::Event() {
  tree.File("sys/kernel/uevent_seqnum", std::to_string(++seqnum) + "\n");
}

void SnapshotHost::Add(const std::string& name, const std::string& mgmt) {
  tree.VdpaDevice("", name);
  kernel.devices.push_back({.name = name, .mgmt_name = mgmt, .device_id = 1});
  Event();
}

void SnapshotHost::Delete(const std::string& name) {
  tree.RemoveVdpaDevice("", name);
  std::erase_if(kernel.devices, [&](const VdpaDevice& device) { return device.name == name; });
  Event();
}

Result<Snapshot> SnapshotHost::Try(Deadline deadline) {
  VdpaFamily family(kernel.Factory());
  return TakeSnapshot(tree.Live(), family, links, deadline, options);
}

Strings Names(const Snapshot& snapshot) {
  Strings names;
  for (const VdpaDevice& device : snapshot.vdpa_devices) names.push_back(device.name);
  std::ranges::sort(names);
  return names;
}

Strings BusNames(const Snapshot& snapshot) {
  Strings names;
  for (const BusDevice& device : snapshot.bus_devices) names.push_back(device.name);
  return names;
}

}  // namespace vdpa::test
