#include "helper/worker.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <ranges>
#include <string_view>
#include <thread>
#include <utility>

#include "core/driver_binding.h"
#include "core/host_channels.h"
#include "core/vdpa_bus.h"
#include "core/vdpa_family.h"
#include "core/vf_devices.h"

namespace vdpa::helper {
namespace {

/// Other processes can take a device between two steps of ours; not for ever, though.
constexpr int kBindAttempts = 3;
/// devtmpfs has the node before the bind returns; whoever makes nodes by hand needs a moment.
constexpr std::chrono::seconds kNodeWait{1};
constexpr std::chrono::milliseconds kNodePoll{5};

std::string BoundTo(const std::string& name, const std::string& driver) {
  return driver.empty() ? name + " is bound to no driver" : name + " is bound to " + driver;
}

std::string Binding(const std::string& name, const std::string& driver) {
  return std::string("bind ").append(name).append(" to ").append(driver);
}

}  // namespace

void Worker::Run(const std::vector<BusDevice>& devices) {
  switch (task_.kind) {
    case ChangeTask::Kind::kDelete:
      return Delete(devices.front());
    case ChangeTask::Kind::kBind:
      return Bind(devices.front());
    case ChangeTask::Kind::kSetVfs:
      return SetVfs(devices);
  }
}

void Worker::Delete(const BusDevice& device) {
  VdpaFamily family(VdpaChannels(root_));
  report_.Look("DEV_GET " + device.name);
  const Result<VdpaDevice> known = family.ReadDevice(device.name, deadline_);
  if (!known) {
    const Error& error = known.error();
    if (IsGone(error)) {
      Refuse("gone", device.name);
    } else if (error.fault == Fault::kSystem && error.errno_value == EINVAL) {
      Refuse("unmanaged", device.name);
    } else {
      Fail(error);
    }
    return;
  }
  if (!Release(device) || !InTime()) return;

  report_.Step("DEV_DEL " + device.name);
  const Result<void> deleted = family.DeleteDevice(device.name, deadline_);
  if (deleted || IsGone(deleted.error())) {
    report_.Done();
  } else if (deleted.error().fault == Fault::kTimeout || deleted.error().fault == Fault::kLost) {
    report_.Failed(deleted.error());  // it may yet be deleted: nothing to put back
  } else {
    Fail(deleted.error());
  }
}

void Worker::Bind(const BusDevice& device) {
  const std::string& name = device.name;
  if (device.driver != task_.driver) {
    if (!IsSettled(name) || !LiftReservation(name)) return;
    taken_.push_back({.name = name});
    Taken& taken = taken_.back();
    if (!device.driver.empty() && !Unbind(name, device.driver, taken)) return;
    if (!task_.driver.empty() && !BindTo(name, task_.driver, taken)) return;
  }
  ReportBinding(name);
}

void Worker::SetVfs(const std::vector<BusDevice>& devices) {
  for (const BusDevice& device : devices) {
    if (!Release(device) || !InTime()) return;
  }
  if (task_.vfs_now > 0) {
    // None may have come meanwhile: removing its VF would wait for whoever opens it.
    const auto there = ReadVfDevices(*root_, task_.target);
    if (!there) {
      Fail(there.error());
      return;
    }
    for (const BusDevice& device : there->devices) {
      const bool ours = std::ranges::any_of(
          taken_, [&](const Taken& taken) { return taken.name == device.name; });
      if (!ours || !device.driver.empty()) {
        Refuse("changed", device.name);
        return;
      }
    }
    if (!WriteVfs(0)) return;
    taken_.clear();
    report_.Line({"changed", task_.target + " has no VFs"});
  }
  if (task_.vfs_wanted > 0 && !WriteVfs(task_.vfs_wanted)) return;
  report_.Done();
}

bool Worker::WriteVfs(std::uint32_t count) {
  if (!InTime()) return false;
  const std::string path = "sys/bus/pci/devices/" + task_.target + "/sriov_numvfs";
  report_.Step("write " + std::to_string(count) + " to " + path);
  const Result<void> written = root_->WriteAttribute(path, std::to_string(count));
  return written || Fail(written.error());
}

bool Worker::Release(const BusDevice& device) {
  const std::string& name = device.name;
  if (!IsSettled(name)) return false;
  taken_.push_back({.name = name});
  Taken& taken = taken_.back();
  if (!Reserve(name, taken)) return false;
  // Nobody can bind it any more, so what it is bound to now it stays bound to.
  const Result<std::string> driver = ReadVdpaDriver(*root_, name);
  if (!driver) return Fail(driver.error());
  if (*driver != device.driver) return Refuse("changed", name);
  return driver->empty() || Unbind(name, *driver, taken);
}

bool Worker::IsSettled(const std::string& name) {
  report_.Look("read the state of " + name);
  const Result<bool> leaving = IsBeingUnbound(*root_, name);
  if (!leaving) return Fail(leaving.error());
  // Whoever holds it open keeps the other's unbind, and would keep our delete with all of the
  // kernel's vDPA commands behind it.
  return !*leaving || Refuse("leaving", name);
}

bool Worker::Reserve(const std::string& name, Taken& taken) {
  const Result<bool> possible = HasOverride(*root_, name);
  if (!possible) return Fail(possible.error());
  if (!*possible) return true;
  const Result<std::string> before = ReadOverride(*root_, name);
  if (!before) return Fail(before.error());
  // Ours: of an earlier one that was killed half-way.
  if (*before != kReservation) taken.reservation = *before;
  report_.Step("reserve " + name);
  const Result<void> written = WriteOverride(*root_, name, kReservation);
  if (!written) return Fail(written.error());
  taken.reserved = true;
  return true;
}

bool Worker::Unbind(const std::string& name, const std::string& driver, Taken& taken) {
  report_.Step("unbind " + name + " from " + driver);
  const Result<void> unbound = UnbindDriver(*root_, name, driver);
  const Result<std::string> now = ReadVdpaDriver(*root_, name);
  if (!now) return Fail(now.error());
  if (!now->empty()) {
    if (!unbound) return Fail(unbound.error());
    return Refuse("changed", name);
  }
  if (!unbound && !IsGone(unbound.error())) return Fail(unbound.error());
  if (taken.change.empty()) taken.driver = driver;  // the first it had, should it go on to others
  taken.change = BoundTo(name, "");
  report_.Line({"changed", taken.change});
  return true;
}

bool Worker::LiftReservation(const std::string& name) {
  const Result<bool> possible = HasOverride(*root_, name);
  if (!possible) return Fail(possible.error());
  if (!*possible) return true;
  report_.Look("read the reservation of " + name);
  const Result<std::string> reservation = ReadOverride(*root_, name);
  if (!reservation) return Fail(reservation.error());
  if (reservation->empty() || *reservation == task_.driver || task_.driver.empty()) return true;
  if (*reservation != kReservation) return Refuse("reserved", name, *reservation);
  const Result<void> lifted = WriteOverride(*root_, name, "");
  return lifted || Fail(lifted.error());
}

bool Worker::BindTo(const std::string& name, const std::string& driver, Taken& taken) {
  for (int attempt = 1;; ++attempt) {
    if (!InTime()) return false;
    report_.Step(Binding(name, driver));
    const Result<void> bound = BindDriver(*root_, name, driver);
    const Result<std::string> now = ReadVdpaDriver(*root_, name);
    if (!now) return Fail(now.error());
    if (*now == driver) return true;
    if (bound) return Refuse("changed", name);  // and somebody has unbound it already
    // Somebody else's probe was faster. Another driver than vhost_vdpa lets go again; from
    // vhost_vdpa only the keeper could take it.
    const bool again =
        task_.force && attempt < kBindAttempts && !now->empty() && *now != kVhostDriver;
    if (!again) return Fail(bound.error());
    if (!Unbind(name, *now, taken)) return false;
  }
}

void Worker::ReportBinding(const std::string& name) {
  const Deadline until = std::min(deadline_, std::chrono::steady_clock::now() + kNodeWait);
  std::optional<BusDevice> device;
  for (;;) {
    auto read = ReadBusDevice(*root_, name);
    if (!read) {
      Fail(read.error());
      return;
    }
    device = std::move(*read);
    const bool waits = device && device->driver == kVhostDriver &&
                       (!device->char_device || device->char_device->node == NodeState::kMissing);
    if (!waits || std::chrono::steady_clock::now() >= until) break;
    std::this_thread::sleep_for(kNodePoll);
  }
  if (!device) {
    Refuse("gone", name);
    return;
  }
  const CharDevice node = device->char_device.value_or(CharDevice{});
  report_.Line({"bound", device->driver, node.name, std::to_string(node.major),
                std::to_string(node.minor), std::to_string(static_cast<int>(node.node))});
  report_.Done();
}

bool Worker::InTime() {
  if (std::chrono::steady_clock::now() < deadline_) return true;
  return Fail({.fault = Fault::kTimeout, .op = "change " + task_.target});
}

bool Worker::Fail(const Error& error) {
  Undo();
  report_.Failed(error);
  return false;
}

bool Worker::Refuse(std::string_view why, const std::string& name, std::string_view detail) {
  Undo();
  report_.Refused(why, name, detail);
  return false;
}

void Worker::Undo() {
  for (const Taken& taken : taken_ | std::views::reverse) {
    // What cannot be put back stays reported as changed; the first error is the one that counts.
    const Result<bool> there = root_->Exists("sys/bus/vdpa/devices/" + taken.name);
    if (there && !*there) {
      if (!taken.change.empty()) report_.Line({"undone", taken.change});
      continue;
    }
    if (taken.reserved && !WriteOverride(*root_, taken.name, taken.reservation)) continue;
    if (taken.change.empty()) continue;
    report_.Step(Binding(taken.name, taken.driver));
    const Result<void> bound = BindDriver(*root_, taken.name, taken.driver);
    const Result<std::string> now = ReadVdpaDriver(*root_, taken.name);
    if (bound || (now && *now == taken.driver)) report_.Line({"undone", taken.change});
  }
  taken_.clear();
}

}  // namespace vdpa::helper
