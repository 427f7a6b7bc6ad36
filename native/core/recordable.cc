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
constexpr std::array<std::string_view, 10> kAttributes = {
    "dev",    "driver_override",         "numa_node",    "revision",
    "sfnum",  "sriov_drivers_autoprobe", "sriov_offset", "sriov_stride",
    "uevent", "sriov_totalvfs",
};

/// The first line that begins so.
std::string LineOf(std::string_view text, std::string_view field) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(field)) return std::string(line) + "\n";
    text.remove_prefix(std::min(line.size() + 1, text.size()));
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
  if (path == "proc/self/status") return LineOf(content, "CapEff:");
  if (path == "proc/self/limits") return LineOf(content, "Max locked memory");
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
