// The explicit list of what a recording of a host may hold. All else stays on the host.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vdpa {

/// Whether the names of directories and links there may be kept.
bool IsRecordableName(std::string_view path);

/// What of a file may be kept; nothing of a file that is not on the list. Of some files a part
/// only: /proc/self/status names users, and is asked for one line.
std::optional<std::string> RecordableContent(std::string_view path, std::string_view content);

/// A node that is looked at below dev/.
bool IsRecordableNode(std::string_view path);

}  // namespace vdpa
