// What was read of a host, kept as the tree of files that gives the same answers when it is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "device_number.h"
#include "unique_fd.h"

namespace vdpa {

struct DirectoryEntry;

/// What lies at one place of a recorded host.
struct RecordedEntry {
  enum class Kind : std::uint8_t { kDirectory, kFile, kLink };
  Kind kind = Kind::kDirectory;
  std::string content = {};  ///< the bytes of a file, or where a link points

  bool operator==(const RecordedEntry&) const = default;
};

/// Told by HostRoot of every look at the file system, and by RecordingChannel of every answer. Of
/// each place the latest look counts: what was there before and is not any more is forgotten. Links
/// on the way to what is looked at are followed, and kept, one by one, so that everything lies
/// where the kernel has it.
///
/// Only what recordable.h lists is kept. Any thread may call.
class Recording {
 public:
  /// Of the tree below `root`.
  explicit Recording(UniqueFd root) : root_(std::move(root)) {}

  // What HostRoot saw. Paths are those it was asked for.
  void SawFile(const std::string& path, std::string_view content);
  void SawLink(const std::string& path, const std::string& target);
  void SawDirectory(const std::string& path, const std::vector<DirectoryEntry>& entries);
  void SawSomething(const std::string& path);
  /// 0:0, which no driver has, for what is no character device; none when it is not known.
  void SawNode(const std::string& path, std::optional<DeviceNumber> number);
  /// Nothing is there, or it leads nowhere; `itself` when a link there was not to be followed.
  void SawNothing(const std::string& path, bool itself);

  // Answers of netlink, each a file of the recording.
  void KeepAnswer(const std::string& path, std::string bytes);
  /// Nothing when there is none.
  std::string Answer(const std::string& path) const;
  /// Also of what the file system showed before.
  void Forget(const std::string& path);

  using Entries = std::vector<std::pair<std::string, RecordedEntry>>;
  /// At most `limit` entries, those after the path `after`, in an order that puts every directory
  /// before what is in it.
  Entries After(const std::string& after, std::size_t limit) const;

  /// What was read and is not on the list, as it was asked for.
  std::set<std::string> Withheld() const;

 private:
  struct Place {
    std::string path;
    bool there = false;  ///< else `path` is where the way ends
  };

  // All below are called with the mutex held.
  Place Find(const std::string& path, bool follow_last);
  void MarkIfDirectory(const std::string& path);
  void Put(const std::string& path, RecordedEntry entry);
  void PutFile(const std::string& asked, const std::string& path, std::string_view content);
  void Erase(const std::string& path);
  void EraseBelow(const std::string& path);
  std::expected<std::optional<std::string>, int> LinkAt(const std::string& path, bool at_end) const;

  UniqueFd root_;
  mutable std::mutex mutex_;  ///< guards all below
  std::map<std::string, RecordedEntry, std::less<>> entries_;
  std::set<std::string> withheld_;
};

}  // namespace vdpa
