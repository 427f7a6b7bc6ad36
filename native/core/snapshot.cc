#include "snapshot.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "missing_rows.h"
#include "netdev.h"
#include "number_text.h"
#include "pci.h"
#include "pci_carriers.h"
#include "scalable_function.h"
#include "snapshot_rows.h"
#include "vdpa_bus.h"

namespace vdpa {
namespace {

class SnapshotTaker {
 public:
  SnapshotTaker(const HostRoot& root, VdpaFamily& family, const LinkSource& links,
                Deadline deadline, const SnapshotOptions& options)
      : root_(&root), family_(&family), links_(&links), deadline_(deadline), options_(&options) {}

  Result<Snapshot> Take();

 private:
  Result<void> ReadAgainWhileChanging();
  Result<void> ReadOnce();
  Result<void> Complete();
  Result<void> ReadFamily();
  Result<void> ReadBus();
  Result<void> ReadPci();
  Result<void> ReadLinks();
  void PutAside(std::uint64_t seqnum);
  template <typename T>
  Result<std::vector<T>> Dumped(Result<std::vector<T>> rows);
  Result<std::optional<std::uint64_t>> ReadSeqnum() const;
  void Done(SnapshotStep step) const {
    if (options_->after_step) options_->after_step(step);
  }

  const HostRoot* root_;
  VdpaFamily* family_;
  const LinkSource* links_;
  Deadline deadline_;
  const SnapshotOptions* options_;
  Snapshot now_;
  std::uint32_t attempt_ = 0;
  bool lost_ = false;       ///< the kernel dropped answers in this attempt
  bool complete_ = false;   ///< all that this attempt lacks has been asked for
  bool no_family_ = false;  ///< each further look would cost a modprobe
  // Of the attempts before this one.
  std::optional<Snapshot> previous_;  ///< the latest that lost nothing, complete
  std::uint64_t previous_seqnum_ = 0;
  std::vector<Netdev> netdevs_before_;
  std::set<MgmtHandle> mgmt_ever_seen_;
};

Result<std::optional<std::uint64_t>> SnapshotTaker::ReadSeqnum() const {
  if (!root_->Live()) return std::optional<std::uint64_t>();
  const auto text = OrEmpty(root_->ReadAttribute("sys/kernel/uevent_seqnum"));
  if (!text) return std::unexpected(text.error());
  return ParseNumber<std::uint64_t>(*text);
}

Result<Snapshot> SnapshotTaker::Take() {
  Result<void> read = ReadAgainWhileChanging();
  if (read && !complete_) read = Complete();
  if (read) return std::move(now_);
  if (read.error().fault != Fault::kTimeout || !previous_) {
    return std::unexpected(std::move(read.error()));
  }
  Snapshot before = *std::move(previous_);
  before.consistent = false;
  before.attempts = attempt_;
  before.uevent_seqnum = previous_seqnum_;
  return before;
}

/// Leaves what is to be told in `now_`.
Result<void> SnapshotTaker::ReadAgainWhileChanging() {
  const std::uint32_t limit = root_->Live() ? std::max(options_->max_attempts, 1U) : 1;
  for (attempt_ = 1;; ++attempt_) {
    const auto started = std::chrono::steady_clock::now();
    const auto before = ReadSeqnum();
    if (!before) return std::unexpected(before.error());
    now_ = {};
    lost_ = complete_ = false;
    const Result<void> read = ReadOnce();
    if (!read) return read;
    const auto after = ReadSeqnum();
    if (!after) return std::unexpected(after.error());

    // A moved number may mean no more than a container's new interface. But even when the dump
    // and sysfs name the same devices, a PCI function or a driver may have been read from before
    // the event and another from after it, and only the kernel knows which events they were. So
    // read again. On a host that emits events all the time the number never rests; two readings
    // that agree in everything show the same state of things.
    const bool quiet = !root_->Live() || (before->has_value() && *before == *after);
    const bool consistent = !lost_ && (quiet || (previous_ && *previous_ == now_));

    if (!consistent && attempt_ < limit) {
      // This attempt is the answer should the next one take too long. Not one that lost a dump: to
      // ask for each of thousands of devices is for the end, when there is no other way.
      const Result<void> completed = lost_ ? Result<void>() : Complete();
      if (!completed) return completed;
      const auto ended = std::chrono::steady_clock::now();
      if (deadline_ - ended > ended - started) {
        PutAside(before->value_or(0));
        continue;
      }
    }
    now_.consistent = consistent;
    now_.attempts = attempt_;
    now_.uevent_seqnum = before->value_or(0);
    return {};
  }
}

void SnapshotTaker::PutAside(std::uint64_t seqnum) {
  for (const MgmtDevice& device : now_.mgmt_devices)
    mgmt_ever_seen_.emplace(device.bus, device.name);
  netdevs_before_ = now_.netdevs;
  if (lost_) return;
  previous_ = std::move(now_);
  previous_seqnum_ = seqnum;
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

/// A dump whose answers were dropped is as good as none; the names in sysfs make up for it.
template <typename T>
Result<std::vector<T>> SnapshotTaker::Dumped(Result<std::vector<T>> rows) {
  if (rows || rows.error().fault != Fault::kLost) return rows;
  lost_ = true;
  return std::vector<T>();
}

Result<void> SnapshotTaker::ReadFamily() {
  if (no_family_) return {};
  const Result<bool> bus = HasVdpaBus(*root_);
  if (!bus) return std::unexpected(bus.error());
  if (!*bus) return {};
  const auto forgive = [this](const Error& error) -> Result<void> {
    // A captured tree may hold no netlink recordings at all.
    const bool absent = error.fault == Fault::kNoFamily || (!root_->Live() && IsGone(error));
    if (!absent) return std::unexpected(error);
    no_family_ = true;
    ForgetFamily(now_);
    return {};
  };
  const auto abi = family_->Abi(deadline_);
  if (!abi) return forgive(abi.error());
  now_.abi = *abi;
  auto mgmt_devices = Dumped(family_->ReadMgmtDevices(deadline_));
  if (!mgmt_devices) return forgive(mgmt_devices.error());
  now_.mgmt_devices = std::move(*mgmt_devices);
  Done(SnapshotStep::kMgmtDevices);
  auto vdpa_devices = Dumped(family_->ReadDevices(deadline_));
  if (!vdpa_devices) return forgive(vdpa_devices.error());
  now_.vdpa_devices = std::move(*vdpa_devices);
  Done(SnapshotStep::kVdpaDevices);
  return {};
}

Result<void> SnapshotTaker::ReadBus() {
  auto devices = ReadBusDevices(*root_);
  if (!devices) return std::unexpected(devices.error());
  now_.bus_devices = std::move(*devices).value_or(std::vector<BusDevice>());
  KeepListed(now_.vdpa_devices, now_.bus_devices);
  OrderMgmtDevices(now_.mgmt_devices);
  Done(SnapshotStep::kBusDevices);
  return {};
}

Result<void> SnapshotTaker::ReadPci() {
  auto functions = ReadScalableFunctions(*root_, now_.bus_devices, now_.mgmt_devices);
  if (!functions) return std::unexpected(functions.error());
  now_.scalable_functions = std::move(*functions);
  Done(SnapshotStep::kScalableFunctions);

  const Result<void> placed = PlaceMgmtDevices(*root_, now_);
  if (!placed) return placed;
  auto pci_functions = ReadPciFunctions(*root_, FindPciCarriers(now_), deadline_);
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
    if (!absent) {
      lost_ = true;
      now_.netdevs = netdevs_before_;
    }
    Done(SnapshotStep::kNetdevs);
    return {};
  }
  lost_ = lost_ || !dump->consistent;
  auto netdevs = ResolveNetdevs(*root_, *dump);
  if (!netdevs) return std::unexpected(netdevs.error());
  now_.netdevs = std::move(*netdevs);
  Done(SnapshotStep::kNetdevs);
  return {};
}

Result<void> SnapshotTaker::Complete() {
  complete_ = true;
  if (!root_->Live() || !now_.abi) return {};
  const std::size_t dumped = now_.mgmt_devices.size();
  const Result<void> asked = AskForMissingRows(*family_, mgmt_ever_seen_, deadline_, now_);
  if (!asked) return asked;
  no_family_ = !now_.abi;
  // Late ones may be, or stand on, functions that nothing else called for. Devices never are: the
  // bus has told their places before.
  return now_.mgmt_devices.size() > dumped ? ReadPci() : Result<void>();
}

}  // namespace

Result<Snapshot> TakeSnapshot(const HostRoot& root, VdpaFamily& family, const LinkSource& links,
                              Deadline deadline, const SnapshotOptions& options) {
  return SnapshotTaker(root, family, links, deadline, options).Take();
}

}  // namespace vdpa
