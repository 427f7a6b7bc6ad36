#include "recordable.h"

#include <algorithm>
#include <array>

#include "device_path.h"

namespace vdpa {
namespace {

/// Kept whole.
constexpr std::array<std::string_view, 4> kFiles = {
    "proc/devices",
    "proc/sys/kernel/osrelease",
    "sys/bus/vdpa/drivers_autoprobe",
    "sys/kernel/uevent_seqnum",
};

/// Attributes of devices, below sys/devices: kept whole.
constexpr std::array<std::string_view, 9> kAttributes = {
    "dev",          "driver_override", "numa_node",      "revision", "sfnum",
    "sriov_offset", "sriov_stride",    "sriov_totalvfs", "uevent",
};

std::string EffectiveCapabilities(std::string_view status) {
  constexpr std::string_view kField = "CapEff:";
  while (!status.empty()) {
    const std::string_view line = status.substr(0, status.find('\n'));
    if (line.starts_with(kField)) return std::string(line) + "\n";
    status.remove_prefix(std::min(line.size() + 1, status.size()));
  }
  return {};
}

/// The initial user namespace's map, which is the same everywhere. Another one names a user: that
/// it is another one is all that is to be told.
std::string InitialUserMap(std::string_view map) {
  std::string words;
  bool in_word = false;
  for (const char c : map) {
    const bool blank = c == ' ' || c == '\t' || c == '\n';
    if (!blank && !in_word && !words.empty()) words += ' ';
    if (!blank) words += c;
    in_word = !blank;
  }
  return words == "0 0 4294967295" ? std::string(map) : std::string();
}

}  // namespace

bool IsRecordableName(std::string_view path) { return path == "sys" || path.starts_with("sys/"); }

std::optional<std::string> RecordableContent(std::string_view path, std::string_view content) {
  if (path == "proc/self/status") return EffectiveCapabilities(content);
  if (path == "proc/self/uid_map") return InitialUserMap(content);
  const bool listed = std::ranges::find(kFiles, path) != kFiles.end() ||
                      (path.starts_with("sys/devices/") &&
                       std::ranges::find(kAttributes, LastComponent(path)) != kAttributes.end());
  if (!listed) return std::nullopt;
  return std::string(content);
}

bool IsRecordableNode(std::string_view path) {
  constexpr std::string_view kDirectory = "dev/";
  return path.starts_with(kDirectory) && IsVhostName(path.substr(kDirectory.size()));
}

}  // namespace vdpa
