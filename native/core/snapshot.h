// The whole host at one moment, although the kernel never stops for it.
#pragma once

#include <cstdint>
#include <functional>

#include "host_root.h"
#include "link_dump.h"
#include "netlink_channel.h"
#include "records.h"
#include "result.h"
#include "vdpa_family.h"

namespace vdpa {

/// Gives all links of the host (RTM_GETLINK). Empty: none are wanted.
using LinkSource = std::function<Result<LinkDump>(Deadline)>;

/// What has just been read.
enum class SnapshotStep : std::uint8_t {
  kMgmtDevices,
  kVdpaDevices,
  kBusDevices,
  kPciFunctions,
  kScalableFunctions,
  kNetdevs,
};

struct SnapshotOptions {
  std::uint32_t max_attempts = 3;
  /// Called after each step, so that a test can change the host at that very point.
  std::function<void(SnapshotStep)> after_step = {};
};

/// Reads everything, and again (up to `max_attempts`) while the host changes underneath: the
/// kernel's dumps resume by index and say nothing when a device slips through. A state counts as
/// consistent when `uevent_seqnum` was the same before and after, or when two attempts that
/// lost no answer, one after the other, read exactly the same. Otherwise `consistent` is false,
/// which is no error.
///
/// In either case every device that lived throughout is in the result: names come from sysfs, which
/// loses none, and each one that the dump lacks is asked for by name. A device that vanished
/// meanwhile is absent. One that the family refuses to tell about (it has no management device) is
/// in `bus_devices` only. Without the bus or the family `abi` is unset. A captured root does not
/// change and is read once. Management devices are in order of bus and name.
///
/// Reading again needs at least the time that the last reading took; when the deadline does come
/// during a further one, the reading before it is the answer. Fails when a system call, the
/// deadline during the first reading, or malformed bytes stop it.
Result<Snapshot> TakeSnapshot(const HostRoot& root, VdpaFamily& family, const LinkSource& links,
                              Deadline deadline, const SnapshotOptions& options = {});

}  // namespace vdpa
