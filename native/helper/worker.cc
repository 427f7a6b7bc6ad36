#include "helper/worker.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
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

void Worker::Run(const std::vector<Target>& targets) {
  switch (task_.kind) {
    case ChangeTask::Kind::kDelete:
      return Delete(targets.front());
    case ChangeTask::Kind::kBind:
      return Bind(targets.front());
    case ChangeTask::Kind::kSetVfs:
      return SetVfs(targets);
  }
}

void Worker::Delete(const Target& target) {
  const std::string& name = target.device.name;
  VdpaFamily family(VdpaChannels(root_));
  report_.Look("DEV_GET " + name);
  const Result<VdpaDevice> known = family.ReadDevice(name, deadline_);
  if (!known) {
    const Error& error = known.error();
    if (IsGone(error)) {
      Refuse("gone", name);
    } else if (error.fault == Fault::kSystem && error.errno_value == EINVAL) {
      Refuse("unmanaged", name);
    } else {
      Fail(error);
    }
    return;
  }
  if (!Release(target) || !InTime() || !IsSame(taken_.back())) return;

  report_.Step("DEV_DEL " + name);
  const Result<void> deleted = family.DeleteDevice(name, deadline_);
  if (deleted || IsGone(deleted.error())) {
    Done();
  } else if (deleted.error().fault == Fault::kTimeout || deleted.error().fault == Fault::kLost) {
    report_.Failed(deleted.error());  // it may yet be deleted: nothing to put back
  } else {
    Fail(deleted.error());
  }
}

void Worker::Bind(const Target& target) {
  const BusDevice& device = target.device;
  const std::string& name = device.name;
  if (device.driver != task_.driver) {
    if (!Claim(name, DeviceFolder(name), target.identity)) return;
    if (!IsSettled(name) || !LiftReservation(name)) return;
    taken_.push_back({.name = name, .identity = target.identity});
    Taken& taken = taken_.back();
    if (!device.driver.empty() && !Unbind(name, device.driver, taken)) return;
    if (!task_.driver.empty() && !BindTo(name, task_.driver, taken)) return;
  }
  ReportBinding(name);
}

void Worker::SetVfs(const std::vector<Target>& targets) {
  const std::string folder = "sys/bus/pci/devices/" + task_.target;
  const Result<std::uint64_t> pf = root_->Identity(folder);
  if (!pf) {
    Fail(pf.error());
    return;
  }
  if (!Claim(task_.target, folder, *pf)) return;
  for (const Target& target : targets) {
    if (!Release(target) || !InTime()) return;
  }
  if (task_.vfs_now > 0) {
    // None may have come meanwhile: removing its VF would wait for whoever opens it.
    const auto there = ReadVfDevices(*root_, task_.target);
    if (!there) {
      Fail(there.error());
      return;
    }
    if (there->num_vfs != task_.vfs_now) {
      Refuse("changed", task_.target);
      return;
    }
    if (!task_.force && !there->passed_vf.empty()) {
      Refuse("passed", there->passed_vf);
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
  Done();
}

bool Worker::WriteVfs(std::uint32_t count) {
  if (!InTime()) return false;
  const std::string path = "sys/bus/pci/devices/" + task_.target + "/sriov_numvfs";
  report_.Step("write " + std::to_string(count) + " to " + path);
  const Result<void> written = root_->WriteAttribute(path, std::to_string(count));
  return written || Fail(written.error());
}

bool Worker::Release(const Target& target) {
  const BusDevice& device = target.device;
  const std::string& name = device.name;
  if (!Claim(name, DeviceFolder(name), target.identity) || !IsSettled(name)) return false;
  taken_.push_back({.name = name, .identity = target.identity});
  Taken& taken = taken_.back();
  if (!Reserve(name, taken)) return false;
  // Nobody can bind it any more, so what it is bound to now it stays bound to.
  const Result<std::string> driver = ReadVdpaDriver(*root_, name);
  if (!driver) return Fail(driver.error());
  if (*driver != device.driver) return Refuse("changed", name);
  return driver->empty() || Unbind(name, *driver, taken);
}

bool Worker::Claim(const std::string& name, const std::string& folder, std::uint64_t identity) {
  report_.Look("lock " + name);
  if (!locks_) {
    Result<ChangeLocks> locks = ChangeLocks::Open(*root_);
    if (!locks) return Fail(locks.error());
    locks_ = *std::move(locks);
  }
  const Result<bool> locked = locks_->Take(identity);
  if (!locked) return Fail(locked.error());
  // Not waited for: the other may be kept by the kernel.
  if (!*locked) return Refuse("changed", name);
  // Only now: the other may have deleted it.
  const Result<std::uint64_t> now = root_->Identity(folder);
  if (!now && IsGone(now.error())) return Refuse("gone", name);
  if (!now) return Fail(now.error());
  return *now == identity || Refuse("changed", name);
}

bool Worker::IsSame(const Taken& taken) {
  const Result<std::uint64_t> now = root_->Identity(DeviceFolder(taken.name));
  if (!now && !IsGone(now.error())) return Fail(now.error());
  // One that is gone is nobody else's; what is asked of it next says so.
  return !now || *now == taken.identity || Refuse("changed", taken.name);
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
  if (!IsSame(taken)) return false;
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
    if (!InTime() || !IsSame(taken)) return false;
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
  Done();
}

bool Worker::InTime() {
  if (std::chrono::steady_clock::now() < deadline_) return true;
  return Fail({.fault = Fault::kTimeout, .op = "change " + task_.target});
}

/// From its end on others may change what this change was about.
void Worker::Done() {
  locks_.reset();
  report_.Done();
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
  // To its end, also when the keeper has told the caller by then that it is not done, or is killed.
  prctl(PR_SET_PDEATHSIG, 0);
  for (const Taken& taken : taken_ | std::views::reverse) {
    // What cannot be put back stays reported as changed; the first error is the one that counts.
    const Result<std::uint64_t> now = root_->Identity(DeviceFolder(taken.name));
    if (now ? *now != taken.identity : IsGone(now.error())) {
      if (!taken.change.empty()) report_.Line({"undone", taken.change});
      continue;
    }
    if (taken.reserved && !WriteOverride(*root_, taken.name, taken.reservation)) continue;
    if (taken.change.empty()) continue;
    report_.Step(Binding(taken.name, taken.driver));
    const Result<void> bound = BindDriver(*root_, taken.name, taken.driver);
    const Result<std::string> driver = ReadVdpaDriver(*root_, taken.name);
    if (bound || (driver && *driver == taken.driver)) report_.Line({"undone", taken.change});
  }
  taken_.clear();
  locks_.reset();
}

}  // namespace vdpa::helper
