// What the helper process is asked to do, and how it reports: the words on both its sides.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "result.h"

namespace vdpa {

struct ChangeTask {
  enum class Kind : std::uint8_t {
    kDelete,  ///< releases the vDPA device `target` from its driver and deletes it
    kBind,    ///< binds the vDPA device `target` to `driver`; to none when that is empty
    kSetVfs,  ///< changes the number of VFs of the PF `target`, releasing their devices first
  };
  Kind kind = Kind::kDelete;
  std::chrono::milliseconds timeout{0};
  /// Also take a device from another driver than vhost_vdpa: then it is the host's own.
  bool force = false;
  std::string target;
  std::string driver = {};
  /// HostRoot::Identity of the one that is meant, of a delete or bind; unset: any of that name.
  std::optional<std::uint64_t> identity = {};
  std::uint32_t vfs_now = 0;  ///< refused when it is another number by then
  std::uint32_t vfs_wanted = 0;

  bool operator==(const ChangeTask&) const = default;
};

/// Reads "delete MS gentle|force NAME [IDENTITY]", "bind MS gentle|force NAME DRIVER [IDENTITY]"
/// and "vfs MS gentle|force PF NOW WANTED". Names that would climb out of their folder are refused.
Result<ChangeTask> ParseChangeTask(std::span<const std::string_view> words);

/// One line of the report: fields separated by tabs, bytes below 0x20, 0x7f and backslashes as
/// \xNN.
std::string ReportLine(std::initializer_list<std::string_view> fields);

}  // namespace vdpa
