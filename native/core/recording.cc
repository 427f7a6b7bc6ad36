#include "recording.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <iterator>

#include "device_path.h"
#include "host_root.h"
#include "recordable.h"

namespace vdpa {
namespace {

using Kind = RecordedEntry::Kind;

constexpr int kMostLinks = 40;  ///< as many as the kernel follows
/// A list of every character device of the host. Only those that are looked at are kept.
constexpr std::string_view kSparseDirectory = "sys/dev/char";

/// What a captured tree has of its own: the answers of netlink, and what the capture says of
/// itself.
bool IsOwn(std::string_view path) {
  return path.starts_with("netlink/") || path == "vdpa-host-capture.json";
}

/// The components of a path, the last one first.
std::vector<std::string> ReversedComponents(std::string_view path) {
  std::vector<std::string> components;
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view last = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (!last.empty() && last != ".") components.emplace_back(last);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  }
  return components;
}

std::string Joined(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

}  // namespace

/// Where a link points; nothing for what is none. The end of the way is looked at anew every time,
/// what is on the way once: a directory that is listed again has all its links looked at again.
std::expected<std::optional<std::string>, int> Recording::LinkAt(const std::string& path,
                                                                 bool at_end) const {
  const auto known = entries_.find(path);
  if (known != entries_.end()) {
    if (known->second.kind == Kind::kDirectory) return std::optional<std::string>();
    if (known->second.kind == Kind::kLink && !at_end) return known->second.content;
  }
  std::array<char, PATH_MAX> target;
  const ssize_t size = readlinkat(root_.Get(), path.c_str(), target.data(), target.size());
  if (size < 0 && errno == EINVAL) return std::optional<std::string>();
  if (size < 0) return std::unexpected(errno);
  return std::string(target.data(), static_cast<std::size_t>(size));
}

/// Where a path below sys/ leads. No component of `at` is a link, so nothing is ever followed by
/// the kernel on its own, out of a captured tree.
Recording::Place Recording::Find(const std::string& path, bool follow_last) {
  std::vector<std::string> rest = ReversedComponents(path);
  std::string at;
  int links = 0;
  while (!rest.empty()) {
    const std::string name = std::move(rest.back());
    rest.pop_back();
    if (name == "..") {
      at = ParentPath(at);
      continue;
    }
    std::string here = Joined(at, name);
    if (rest.empty() && !follow_last) return {here, true};
    const auto looked = LinkAt(here, rest.empty());
    if (!looked) return {here, false};
    const std::optional<std::string>& target = *looked;
    if (!target) {
      if (!rest.empty()) Put(here, {Kind::kDirectory});
      at = std::move(here);
      continue;
    }
    if (++links > kMostLinks) return {here, false};
    Put(here, {Kind::kLink, *target});
    if (target->starts_with('/')) at.clear();
    std::vector<std::string> onward = ReversedComponents(*target);
    rest.insert(rest.end(), std::make_move_iterator(onward.begin()),
                std::make_move_iterator(onward.end()));
  }
  return {at, true};
}

void Recording::MarkIfDirectory(const std::string& path) {
  const auto known = entries_.find(path);
  if (known != entries_.end() && known->second.kind == Kind::kDirectory) return;
  struct stat status{};
  if (fstatat(root_.Get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISDIR(status.st_mode)) Put(path, {Kind::kDirectory});
}

void Recording::Put(const std::string& path, RecordedEntry entry) {
  if (entry.kind != Kind::kFile && !IsRecordableName(path)) {
    withheld_.insert(path);
    return;
  }
  const auto known = entries_.find(path);
  if (known == entries_.end()) {
    entries_.emplace(path, std::move(entry));
    return;
  }
  if (known->second == entry) return;
  if (entry.kind != Kind::kDirectory) EraseBelow(path);
  known->second = std::move(entry);
}

void Recording::PutFile(const std::string& asked, const std::string& path,
                        std::string_view content) {
  std::optional<std::string> kept = RecordableContent(path, content);
  if (kept) {
    Put(path, {Kind::kFile, *std::move(kept)});
  } else {
    withheld_.insert(asked);
  }
}

void Recording::Erase(const std::string& path) {
  EraseBelow(path);
  entries_.erase(path);
}

void Recording::EraseBelow(const std::string& path) {
  const std::string directory = path + "/";
  auto first = entries_.lower_bound(directory);
  auto last = first;
  while (last != entries_.end() && last->first.starts_with(directory)) ++last;
  entries_.erase(first, last);
}

void Recording::SawFile(const std::string& path, std::string_view content) {
  if (IsOwn(path)) return;
  const std::lock_guard lock(mutex_);
  if (!IsRecordableName(path)) {
    PutFile(path, path, content);
    return;
  }
  const Place place = Find(path, true);
  if (place.there) PutFile(path, place.path, content);
}

void Recording::SawLink(const std::string& path, const std::string& target) {
  if (IsOwn(path)) return;
  const std::lock_guard lock(mutex_);
  if (!IsRecordableName(path)) {
    withheld_.insert(path);
    return;
  }
  const Place place = Find(path, false);
  if (place.there) Put(place.path, {Kind::kLink, target});
}

void Recording::SawDirectory(const std::string& path, const std::vector<DirectoryEntry>& entries) {
  const std::lock_guard lock(mutex_);
  if (!IsRecordableName(path)) {
    withheld_.insert(path);
    return;
  }
  const Place place = Find(path, true);
  if (!place.there) return;
  Put(place.path, {Kind::kDirectory});

  // What is not in it any more; and what still is, is looked at anew.
  std::set<std::string_view> names;
  for (const DirectoryEntry& entry : entries) names.insert(entry.name);
  const std::string directory = place.path + "/";
  for (auto entry = entries_.lower_bound(directory);
       entry != entries_.end() && entry->first.starts_with(directory);) {
    std::string_view name = std::string_view(entry->first).substr(directory.size());
    name = name.substr(0, name.find('/'));
    entry = names.contains(name) ? std::next(entry) : entries_.erase(entry);
  }
  if (place.path == kSparseDirectory) return;
  // Of its files only those that are read: an empty one would not be what the host has.
  for (const DirectoryEntry& entry : entries) {
    if (entry.type != DT_DIR && entry.type != DT_LNK && entry.type != DT_UNKNOWN) continue;
    const Place found = Find(directory + entry.name, true);
    if (found.there) MarkIfDirectory(found.path);
  }
}

void Recording::SawSomething(const std::string& path) {
  if (IsOwn(path)) return;
  const std::lock_guard lock(mutex_);
  if (!IsRecordableName(path)) {
    withheld_.insert(path);
    return;
  }
  const Place place = Find(path, true);
  if (place.there) MarkIfDirectory(place.path);
}

void Recording::SawNode(const std::string& path, std::optional<DeviceNumber> number) {
  const std::lock_guard lock(mutex_);
  if (IsRecordableNode(path)) {
    Put(path, {Kind::kFile, number ? FormatDeviceNumber(*number) + "\n" : std::string()});
  } else {
    withheld_.insert(path);
  }
}

void Recording::SawNothing(const std::string& path, bool itself) {
  const std::lock_guard lock(mutex_);
  if (IsRecordableName(path)) {
    Erase(Find(path, !itself).path);
  } else {
    Erase(path);
  }
}

void Recording::KeepAnswer(const std::string& path, std::string bytes) {
  const std::lock_guard lock(mutex_);
  Put(path, {Kind::kFile, std::move(bytes)});
}

std::string Recording::Answer(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(path);
  return found == entries_.end() ? std::string() : found->second.content;
}

void Recording::Forget(const std::string& path) {
  const std::lock_guard lock(mutex_);
  Erase(path);
}

Recording::Entries Recording::After(const std::string& after, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  Entries entries;
  for (auto entry = entries_.upper_bound(after); entry != entries_.end() && entries.size() < limit;
       ++entry) {
    entries.emplace_back(*entry);
  }
  return entries;
}

std::set<std::string> Recording::Withheld() const {
  const std::lock_guard lock(mutex_);
  return withheld_;
}

}  // namespace vdpa
