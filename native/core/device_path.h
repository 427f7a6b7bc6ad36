// The text of sysfs links: where a device sits below sys/devices, read from the path alone.
#pragma once

#include <optional>
#include <string_view>

namespace vdpa {

/// The path below sys/devices that a sysfs link leads to: "../../devices/a/b" gives "a/b". Nothing
/// for any other form (absolute, climbing in the middle, empty components): such a link was not
/// made by the kernel. All views returned here point into the argument.
std::optional<std::string_view> DevicesPath(std::string_view link_target);

std::string_view LastComponent(std::string_view path);

/// Everything before the last component; empty when there is only one.
std::string_view ParentPath(std::string_view path);

/// The last component that is a PCI address: the function that owns what lies below it. Empty when
/// no PCI function is above.
std::string_view NearestPciComponent(std::string_view path);

/// The last component that is a scalable function on the auxiliary bus ("mlx5_core.sf.4"), or
/// empty.
std::string_view NearestSfComponent(std::string_view path);

/// "module.name.id", the kernel's names on the auxiliary bus.
bool IsAuxiliaryName(std::string_view component);

/// "vhost-vdpa-N". N is the minor number of now, recycled after removal: it identifies nothing.
bool IsVhostName(std::string_view component);

/// A vhost-vdpa char device's place: who carries it, through which vDPA device.
struct VhostPath {
  std::string_view parent_path;  ///< below sys/devices; empty for a device without a parent
  std::string_view vdpa_name;
  std::string_view char_name;
};

/// Takes the target of a link in sys/dev/char apart; nothing unless it ends in
/// "<vdpa name>/vhost-vdpa-N".
std::optional<VhostPath> ParseVhostPath(std::string_view link_target);

}  // namespace vdpa
