// The steps of a change, in the process that may be kept by the kernel.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/change_locks.h"
#include "core/change_task.h"
#include "core/host_root.h"
#include "core/netlink_channel.h"
#include "core/records.h"
#include "core/result.h"
#include "helper/report.h"

namespace vdpa::helper {

inline constexpr const char* kVhostDriver = "vhost_vdpa";

/// A device that a change is about, as the keeper found it.
struct Target {
  BusDevice device;
  std::uint64_t identity = 0;  ///< of its folder in sysfs (HostRoot::Identity)
};

/// Where sysfs has a vDPA device.
inline std::string DeviceFolder(const std::string& name) { return "sys/bus/vdpa/devices/" + name; }

/// Holds no char device: the keeper has them, and closes each once its node is gone. So what waits
/// in here for a descriptor to be closed never waits for this process.
class Worker {
 public:
  Worker(std::shared_ptr<const HostRoot> root, const ChangeTask& task, const Report& report,
         Deadline deadline)
      : root_(std::move(root)), task_(task), report_(report), deadline_(deadline) {}

  /// `devices`: as the keeper found them when it opened theirs. Reports to the end.
  void Run(const std::vector<Target>& targets);

 private:
  /// What has been taken from a device, and is given back when a later step fails.
  struct Taken {
    std::string name;
    std::uint64_t identity = 0;
    std::string driver;       ///< it was bound to; empty: to none, or it is again
    std::string reservation;  ///< it had
    bool reserved = false;    ///< it has ours now
    std::string change;       ///< as reported; empty while it is bound
  };

  void Delete(const Target& target);
  void Bind(const Target& target);
  void SetVfs(const std::vector<Target>& targets);

  /// Unbinds a device and keeps everybody from binding it again. False when it reported why not.
  bool Release(const Target& target);
  /// Keeps other processes of this program from changing it, until this one ends or has undone what
  /// it did: so a reservation that is seen from now on is of one that was killed.
  bool Claim(const std::string& name, const std::string& folder, std::uint64_t identity);
  /// Whether the device is still the one that was found. The kernel takes names only: whoever
  /// replaces a device between this and the next call, bypassing us, cannot be told apart.
  bool IsSame(const Taken& taken);
  /// Whether nobody is unbinding it; false, reported, when somebody is.
  bool IsSettled(const std::string& name);
  bool Reserve(const std::string& name, Taken& taken);
  bool Unbind(const std::string& name, const std::string& driver, Taken& taken);
  /// Lifts what reserves the device for another driver than the wanted one, if that was us.
  bool LiftReservation(const std::string& name);
  bool BindTo(const std::string& name, const std::string& driver, Taken& taken);
  void ReportBinding(const std::string& name);
  bool WriteVfs(std::uint32_t count);

  /// False, with everything undone and reported, once the time is up.
  bool InTime();
  void Done();
  /// Undoes everything, newest first, and reports the error.
  bool Fail(const Error& error);
  bool Refuse(std::string_view why, const std::string& name, std::string_view detail = {});
  void Undo();

  std::shared_ptr<const HostRoot> root_;
  const ChangeTask& task_;
  const Report& report_;
  Deadline deadline_;
  std::vector<Taken> taken_;
  std::optional<ChangeLocks> locks_;
};

}  // namespace vdpa::helper
