// The file system that is looked at: the live machine, or a captured tree that stands in for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "device_number.h"
#include "result.h"
#include "unique_fd.h"

namespace vdpa {

class Recording;

struct DirectoryEntry {
  std::string name;
  std::uint8_t type = 0;  ///< DT_* of <dirent.h>; DT_UNKNOWN is possible
};

/// The descriptor of a root directory; `sys/`, `dev/`, `proc/` and `netlink/` lie below it. Every
/// path given to it is relative. Absence (ENOENT, ENODEV, ENXIO) is Fault::kGone: objects in sysfs
/// come and go between two calls, and a removed one that is still open answers ENODEV. In a
/// captured tree so is what is no directory (ENOTDIR), a loop of links (ELOOP) and, to ReadLink, no
/// link.
///
/// The machine's own root is read with plain `openat`: three system calls per attribute, because
/// system calls are the cost of an inventory. In a captured tree every path is resolved inside that
/// tree (RESOLVE_IN_ROOT), so that its links, absolute or climbing, never reach this machine's
/// files.
class HostRoot {
 public:
  /// Live when `path` is this machine's "/", under whatever spelling; else a captured tree.
  static Result<HostRoot> Open(std::string path);

  /// A running system's root that is mounted elsewhere, as a container may have its host's. Only
  /// for trees that are trusted: their links are followed by the machine's own rules.
  static Result<HostRoot> OpenLive(std::string path);

  /// False for a captured tree, which stands still.
  bool Live() const { return live_; }
  const std::string& Path() const { return path_; }

  /// Keeps from now on whatever is read here. Before anybody else has this root.
  Result<void> Record();
  /// Null unless told to.
  const std::shared_ptr<Recording>& Recorded() const { return recording_; }

  /// One sysfs attribute without its trailing newline: open, one read, close. The kernel gives an
  /// attribute whole in one read of a page.
  Result<std::string> ReadAttribute(const std::string& path) const;

  /// A whole file, for what is not a sysfs attribute: /proc hands out long files in pieces. More
  /// than `limit` bytes is Fault::kMalformed.
  Result<std::string> ReadFile(const std::string& path, std::size_t limit) const;

  /// The same as bytes.
  Result<std::vector<std::byte>> ReadBytes(const std::string& path, std::size_t limit) const;

  /// Where a symbolic link points, as written in it; never followed.
  Result<std::string> ReadLink(const std::string& path) const;

  /// The same, and empty when there is no such link: Linux knows no empty targets.
  Result<std::string> ReadLinkIfThere(const std::string& path) const;

  /// Everything in a directory but "." and "..", in no order.
  Result<std::vector<DirectoryEntry>> List(const std::string& path) const;

  /// Whether the path leads to something. Links are followed: a dangling one leads nowhere.
  Result<bool> Exists(const std::string& path) const;

  /// Whether this process may open it to read and write, by its effective user and capabilities.
  /// Opens nothing. EROFS in a captured tree, whose nodes are none.
  Result<bool> MayOpen(const std::string& path) const;

  /// The number of a character device node; unset when the path is there but is no such node. In a
  /// captured tree a plain file that says "MAJOR:MINOR" stands for one: only root makes nodes.
  Result<std::optional<DeviceNumber>> NodeNumber(const std::string& path) const;

  /// Which object lies there, links followed: another one of the same name has another identity,
  /// and sysfs gives none twice. EROFS in a captured tree.
  Result<std::uint64_t> Identity(const std::string& path) const;

  /// Opens a file that is there to write; nothing is written. EROFS in a captured tree.
  Result<UniqueFd> OpenToWrite(const std::string& path) const;

  /// Writes an attribute in one call. The kernel carries the change out inside it: binding,
  /// unbinding and enabling VFs wait there for drivers, and no signal ends that. EROFS in a
  /// captured tree.
  Result<void> WriteAttribute(const std::string& path, std::string_view text) const;

  /// Opens the char device of this number, and nothing else: EBADFD when what lies there is not it.
  /// Opening is an act: vhost_vdpa resets the device, or answers EBUSY. EROFS in a captured tree.
  Result<UniqueFd> OpenCharDevice(const std::string& path, const DeviceNumber& number) const;

 private:
  HostRoot(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::unexpected<Error> Failed(std::string_view call, const std::string& path,
                                int errno_value) const;
  UniqueFd OpenAt(const std::string& path, int flags) const;
  Result<UniqueFd> OpenToRead(const std::string& path) const;
  Result<std::string> ReadWhole(const std::string& path, std::size_t limit) const;
  Result<std::optional<DeviceNumber>> ReadNumber(const std::string& path) const;

  std::string path_;
  UniqueFd fd_;
  bool live_ = false;
  std::shared_ptr<Recording> recording_;
};

inline bool IsGone(const Error& error) { return error.fault == Fault::kGone; }

/// What may be missing as well as its absence can be used: nothing listed, nothing written.
template <typename T>
Result<T> OrEmpty(Result<T> result) {
  if (!result && IsGone(result.error())) return T();
  return result;
}

}  // namespace vdpa
