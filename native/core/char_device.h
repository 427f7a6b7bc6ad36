// From a device's place on a bus to its char device, verified now.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "device_number.h"
#include "host_root.h"
#include "records.h"
#include "result.h"

namespace vdpa {

/// What outlives a vDPA device's name and its char device's number.
struct DeviceLocation {
  enum class Kind : std::uint8_t {
    kPci,        ///< `name` is a PCI address: a VF, or a PF with a device of its own
    kAuxiliary,  ///< `name` is a device on the auxiliary bus: "mlx5_core.sf.4"
    /// `name` is the vDPA device's own: nothing above it identifies it (no hardware, or a scalable
    /// function whose number is not told).
    kSoftware,
  };
  Kind kind = Kind::kPci;
  std::string name;
};

/// What an earlier answer said.
struct CharDeviceHint {
  std::string vdpa_name;
  DeviceNumber number;
};

enum class CharDeviceState : std::uint8_t {
  kOk,
  kNoParent,      ///< nothing at that location
  kNoVdpaDevice,  ///< the location has no vDPA device
  kNotBound,      ///< not bound to vhost_vdpa; `driver` names another one, or is empty
  kNodeMissing,   ///< the node is not in dev/
  kNodeMismatch,  ///< the node there has another number, or is no char device
  kNoCharDevice,  ///< bound to vhost_vdpa, but without char device yet: the bind is in progress
  kAmbiguous,     ///< several vDPA devices there; `vdpa_name` has all names, joined by ", "
};

struct CharDeviceAnswer {
  CharDeviceState state = CharDeviceState::kNoParent;
  std::string vdpa_name;
  std::string driver;
  std::optional<CharDevice> char_device;  ///< with kOk, kNodeMissing, kNodeMismatch
};

/// Resolves one device without a dump, in constant time: two system calls while the hint holds. A
/// minor number is reused as soon as it is free, so a hint is believed only when its link still
/// leads to this very location and name. It then stands for the very device it names, even when
/// that shares its parent with others; without a valid hint several are kAmbiguous, since any
/// choice could hand out another guest's device. The answer is of this moment: who opens the node
/// compares its number with the descriptor's.
Result<CharDeviceAnswer> ResolveCharDevice(const HostRoot& root, const DeviceLocation& location,
                                           const std::optional<CharDeviceHint>& hint);

}  // namespace vdpa
