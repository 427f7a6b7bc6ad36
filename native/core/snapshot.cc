#include "snapshot.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "netdev.h"
#include "number_text.h"
#include "pci.h"
#include "pci_carriers.h"
#include "scalable_function.h"
#include "vdpa_bus.h"

namespace vdpa {
namespace {

constexpr int kAskAttempts = 3;

using Handle = std::pair<std::string, std::string>;  // bus, name

class SnapshotTaker {
 public:
  SnapshotTaker(const HostRoot& root, VdpaFamily& family, const LinkSource& links,
                Deadline deadline, const SnapshotOptions& options)
      : root_(&root), family_(&family), links_(&links), deadline_(deadline), options_(&options) {}

  Result<Snapshot> Take();

 private:
  Result<void> ReadOnce();
  Result<void> ReadFamily();
  Result<void> ReadBus();
  Result<void> ReadPci();
  Result<void> ReadLinks();
  Result<void> AskForMissingMgmtDevices();
  Result<void> AskForMissingDevices();
  template <typename T, typename Read>
  Result<void> Ask(const Read& read, std::vector<T>& rows);
  template <typename T>
  Result<std::vector<T>> Dumped(Result<std::vector<T>> rows);
  Result<std::optional<std::uint64_t>> ReadSeqnum() const;
  void ForgetFamily();
  void Done(SnapshotStep step) const {
    if (options_->after_step) options_->after_step(step);
  }

  const HostRoot* root_;
  VdpaFamily* family_;
  const LinkSource* links_;
  Deadline deadline_;
  const SnapshotOptions* options_;
  Snapshot now_;
  bool lost_ = false;                ///< the kernel dropped answers in this attempt
  std::set<Handle> mgmt_ever_seen_;  ///< in any attempt
};

Result<std::optional<std::uint64_t>> SnapshotTaker::ReadSeqnum() const {
  if (!root_->Live()) return std::optional<std::uint64_t>();
  const auto text = OrEmpty(root_->ReadAttribute("sys/kernel/uevent_seqnum"));
  if (!text) return std::unexpected(text.error());
  return ParseNumber<std::uint64_t>(*text);
}

Result<Snapshot> SnapshotTaker::Take() {
  const std::uint32_t limit = root_->Live() ? std::max(options_->max_attempts, 1U) : 1;
  std::optional<Snapshot> previous;
  bool consistent = false;
  std::uint32_t attempt = 0;
  std::optional<std::uint64_t> before;
  while (!consistent && attempt < limit) {
    ++attempt;
    const auto started = ReadSeqnum();
    if (!started) return std::unexpected(started.error());
    before = *started;
    now_ = {};
    lost_ = false;
    const Result<void> read = ReadOnce();
    if (!read) return std::unexpected(read.error());
    const auto after = ReadSeqnum();
    if (!after) return std::unexpected(after.error());

    // A moved number may mean no more than a container's new interface. But even when the dump
    // and sysfs name the same devices, a PCI function or a driver may have been read from before
    // the event and another from after it, and only the kernel knows which events they were. So
    // read again. On a host that emits events all the time the number never rests; two readings
    // that agree in everything show the same state of things.
    const bool quiet = !root_->Live() || (before.has_value() && before == *after);
    consistent = !lost_ && (quiet || (previous && *previous == now_));
    previous = now_;
  }

  const Result<void> asked = AskForMissingDevices();
  if (!asked) return std::unexpected(asked.error());
  const Result<void> mgmt_asked = AskForMissingMgmtDevices();
  if (!mgmt_asked) return std::unexpected(mgmt_asked.error());
  now_.consistent = consistent;
  now_.attempts = attempt;
  now_.uevent_seqnum = before.value_or(0);
  return std::move(now_);
}

Result<void> SnapshotTaker::ReadOnce() {
  // Netlink first: what it names and sysfs no longer has is gone, and what came in between is asked
  // for by name. The other way round a new device would have no row in sysfs.
  Result<void> read = ReadFamily();
  if (read) read = ReadBus();
  if (read) read = ReadPci();
  if (read) read = ReadLinks();
  return read;
}

void SnapshotTaker::ForgetFamily() {
  now_.abi.reset();
  now_.mgmt_devices.clear();
  now_.vdpa_devices.clear();
}

/// A dump whose answers were dropped is as good as none; the names in sysfs make up for it.
template <typename T>
Result<std::vector<T>> SnapshotTaker::Dumped(Result<std::vector<T>> rows) {
  if (rows || rows.error().fault != Fault::kLost) return rows;
  lost_ = true;
  return std::vector<T>();
}

Result<void> SnapshotTaker::ReadFamily() {
  const Result<bool> bus = HasVdpaBus(*root_);
  if (!bus) return std::unexpected(bus.error());
  if (!*bus) return {};
  const auto forgive = [this](const Error& error) -> Result<void> {
    // A captured tree may hold no netlink recordings at all.
    const bool absent = error.fault == Fault::kNoFamily || (!root_->Live() && IsGone(error));
    if (!absent) return std::unexpected(error);
    ForgetFamily();
    return {};
  };
  const auto abi = family_->Abi(deadline_);
  if (!abi) return forgive(abi.error());
  now_.abi = *abi;
  auto mgmt_devices = Dumped(family_->ReadMgmtDevices(deadline_));
  if (!mgmt_devices) return forgive(mgmt_devices.error());
  for (const MgmtDevice& device : *mgmt_devices) mgmt_ever_seen_.emplace(device.bus, device.name);
  now_.mgmt_devices = std::move(*mgmt_devices);
  Done(SnapshotStep::kMgmtDevices);
  auto vdpa_devices = Dumped(family_->ReadDevices(deadline_));
  if (!vdpa_devices) return forgive(vdpa_devices.error());
  now_.vdpa_devices = std::move(*vdpa_devices);
  Done(SnapshotStep::kVdpaDevices);
  return {};
}

/// The later one of rows that have the same key: its device was deleted and made again during the
/// dump.
template <typename Row, typename Key>
void KeepLast(std::vector<Row>& rows, const Key& key_of) {
  std::set<decltype(key_of(rows.front()))> seen;
  std::vector<Row> kept;
  kept.reserve(rows.size());
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (seen.insert(key_of(*row)).second) kept.push_back(std::move(*row));
  }
  std::ranges::reverse(kept);
  rows = std::move(kept);
}

Result<void> SnapshotTaker::ReadBus() {
  auto devices = ReadBusDevices(*root_);
  if (!devices) return std::unexpected(devices.error());
  now_.bus_devices = std::move(*devices).value_or(std::vector<BusDevice>());
  std::set<std::string_view> names;
  for (const BusDevice& device : now_.bus_devices) names.insert(device.name);
  std::erase_if(now_.vdpa_devices,
                [&](const VdpaDevice& device) { return !names.contains(device.name); });
  KeepLast(now_.vdpa_devices, [](const VdpaDevice& device) { return device.name; });
  KeepLast(now_.mgmt_devices,
           [](const MgmtDevice& device) { return Handle(device.bus, device.name); });
  Done(SnapshotStep::kBusDevices);
  return {};
}

Result<void> SnapshotTaker::ReadPci() {
  auto functions = ReadScalableFunctions(*root_, now_.bus_devices, now_.mgmt_devices);
  if (!functions) return std::unexpected(functions.error());
  now_.scalable_functions = std::move(*functions);
  Done(SnapshotStep::kScalableFunctions);

  const auto carriers = FindPciCarriers(*root_, now_);
  if (!carriers) return std::unexpected(carriers.error());
  auto pci_functions = ReadPciFunctions(*root_, *carriers);
  if (!pci_functions) return std::unexpected(pci_functions.error());
  now_.pci_functions = std::move(*pci_functions);
  Done(SnapshotStep::kPciFunctions);
  return {};
}

Result<void> SnapshotTaker::ReadLinks() {
  if (!*links_) return {};
  auto dump = (*links_)(deadline_);
  if (!dump) {
    const bool absent = !root_->Live() && IsGone(dump.error());
    if (dump.error().fault != Fault::kLost && !absent) return std::unexpected(dump.error());
    lost_ = !absent;
    dump = LinkDump();
  }
  lost_ = lost_ || !dump->consistent;
  auto netdevs = ResolveNetdevs(*root_, *dump);
  if (!netdevs) return std::unexpected(netdevs.error());
  now_.netdevs = std::move(*netdevs);
  Done(SnapshotStep::kNetdevs);
  return {};
}

/// Asks for one thing and adds it, unless the kernel refuses to tell of it.
template <typename T, typename Read>
Result<void> SnapshotTaker::Ask(const Read& read, std::vector<T>& rows) {
  Result<T> row = read();
  for (int again = 1; again < kAskAttempts; ++again) {
    if (row || row.error().fault != Fault::kLost) break;
    row = read();
  }
  if (row) {
    rows.push_back(std::move(*row));
  } else if (row.error().fault != Fault::kSystem) {
    return std::unexpected(std::move(row.error()));
  }
  return {};
}

/// Management devices have no directory that lists them. But those seen in any attempt, and those
/// that devices name, are known by name.
Result<void> SnapshotTaker::AskForMissingMgmtDevices() {
  if (!root_->Live() || !now_.abi) return {};
  std::set<Handle> missing = mgmt_ever_seen_;
  for (const VdpaDevice& device : now_.vdpa_devices) {
    missing.emplace(device.mgmt_bus, device.mgmt_name);
  }
  for (const MgmtDevice& device : now_.mgmt_devices) missing.erase({device.bus, device.name});
  for (const Handle& handle : missing) {
    const Result<void> asked =
        Ask([&] { return family_->ReadMgmtDevice(handle.first, handle.second, deadline_); },
            now_.mgmt_devices);
    if (!asked && !IsGone(asked.error())) return asked;
  }
  return {};
}

/// Also done after a consistent attempt: a device is in sysfs a moment before its event is counted,
/// and only an answer tells a device being born from one that the family does not manage.
Result<void> SnapshotTaker::AskForMissingDevices() {
  if (!root_->Live() || !now_.abi) return {};
  std::set<std::string> listed;
  for (const VdpaDevice& device : now_.vdpa_devices) listed.insert(device.name);
  std::vector<BusDevice> present;
  present.reserve(now_.bus_devices.size());
  for (BusDevice& device : now_.bus_devices) {
    if (!listed.contains(device.name)) {
      const Result<void> asked =
          Ask([&] { return family_->ReadDevice(device.name, deadline_); }, now_.vdpa_devices);
      if (!asked && IsGone(asked.error())) continue;
      if (!asked) return asked;
    }
    present.push_back(std::move(device));
  }
  now_.bus_devices = std::move(present);
  return {};
}

}  // namespace

Result<Snapshot> TakeSnapshot(const HostRoot& root, VdpaFamily& family, const LinkSource& links,
                              Deadline deadline, const SnapshotOptions& options) {
  return SnapshotTaker(root, family, links, deadline, options).Take();
}

}  // namespace vdpa
