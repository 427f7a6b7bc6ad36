#include "host_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "recording.h"

namespace vdpa {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kDirectoryBuffer = std::size_t{32} * 1024;
// openat2 answers EAGAIN when something was renamed or mounted while it resolved a "..".
constexpr int kResolveAttempts = 64;

bool IsAbsence(int errno_value) {
  return errno_value == ENOENT || errno_value == ENODEV || errno_value == ENXIO;
}

std::unexpected<Error> PathError(std::string_view call, const std::string& path, int errno_value) {
  return std::unexpected(Error{IsAbsence(errno_value) ? Fault::kGone : Fault::kSystem,
                               std::string(call) + " " + path, errno_value});
}

ssize_t ReadSome(int fd, char* buffer, std::size_t size) {
  ssize_t got = 0;
  do {
    got = read(fd, buffer, size);
  } while (got < 0 && errno == EINTR);
  return got;
}

UniqueFd OpenInside(const UniqueFd& root, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags | O_CLOEXEC));
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  int64_t fd = -1;
  for (int attempt = 0; attempt < kResolveAttempts; ++attempt) {
    fd = syscall(SYS_openat2, root.Get(), path, &how, sizeof(how));
    if (fd >= 0 || errno != EAGAIN) break;
  }
  return UniqueFd(static_cast<int>(fd));
}

void AppendEntries(std::string_view bytes, std::vector<DirectoryEntry>& entries) {
  while (!bytes.empty()) {
    decltype(dirent64::d_reclen) length = 0;
    decltype(dirent64::d_type) type = 0;
    std::memcpy(&length, bytes.data() + offsetof(dirent64, d_reclen), sizeof(length));
    std::memcpy(&type, bytes.data() + offsetof(dirent64, d_type), sizeof(type));
    const std::string_view name(bytes.data() + offsetof(dirent64, d_name));
    if (name != "." && name != "..") entries.push_back({std::string(name), type});
    bytes.remove_prefix(length);
  }
}

}  // namespace

Result<HostRoot> HostRoot::OpenLive(std::string path) {
  UniqueFd fd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return PathError("open", path, errno);
  HostRoot root(std::move(path), std::move(fd));
  root.live_ = true;
  return root;
}

Result<HostRoot> HostRoot::Open(std::string path) {
  Result<HostRoot> root = OpenLive(std::move(path));
  if (!root) return root;

  // "/" under any of its names: what counts is the directory, not how it was spelled.
  struct stat given{};
  struct stat own{};
  if (fstat(root->fd_.Get(), &given) != 0) return PathError("stat", root->path_, errno);
  root->live_ = stat("/", &own) == 0 && given.st_dev == own.st_dev && given.st_ino == own.st_ino;
  if (root->live_) return root;

  const UniqueFd probe(OpenInside(root->fd_, ".", O_PATH | O_DIRECTORY));
  if (!probe) {
    return std::unexpected(Error{
        Fault::kSystem, "openat2 " + root->path_, errno,
        "a captured root can be read safely only with openat2 (Linux 5.6, allowed by seccomp)"});
  }
  return root;
}

// One odd file must not make a whole captured tree unreadable: where the kernel would have put a
// link or a directory, anything else is as good as nothing.
std::unexpected<Error> HostRoot::Failed(std::string_view call, const std::string& path,
                                        int errno_value) const {
  std::unexpected<Error> failed = PathError(call, path, errno_value);
  if (!live_ && (errno_value == ENOTDIR || errno_value == ELOOP)) {
    failed.error().fault = Fault::kGone;
  }
  if (recording_ && IsGone(failed.error())) recording_->SawNothing(path, call == "readlink");
  return failed;
}

Result<void> HostRoot::Record() {
  UniqueFd fd(fcntl(fd_.Get(), F_DUPFD_CLOEXEC, 0));
  if (!fd) return PathError("dup", path_, errno);
  recording_ = std::make_shared<Recording>(std::move(fd));
  return {};
}

UniqueFd HostRoot::OpenAt(const std::string& path, int flags) const {
  if (live_) return UniqueFd(openat(fd_.Get(), path.c_str(), flags | O_CLOEXEC));
  return OpenInside(fd_, path.c_str(), flags);
}

Result<UniqueFd> HostRoot::OpenToRead(const std::string& path) const {
  if (!live_) {
    // A tree unpacked by root can hold real device nodes, and merely opening a vhost-vdpa node
    // resets the device; a FIFO would block. So look before opening.
    const UniqueFd look(OpenInside(fd_, path.c_str(), O_PATH));
    struct stat status{};
    if (!look || fstat(look.Get(), &status) != 0) return Failed("open", path, errno);
    if (!S_ISREG(status.st_mode)) return Malformed("open " + path, "not a regular file");
  }
  UniqueFd fd = OpenAt(path, O_RDONLY | O_NOCTTY);
  if (!fd) return Failed("open", path, errno);
  return fd;
}

Result<std::string> HostRoot::ReadAttribute(const std::string& path) const {
  const Result<UniqueFd> file = OpenToRead(path);
  if (!file) return std::unexpected(file.error());
  std::array<char, kPage> buffer;
  const ssize_t got = ReadSome(file->Get(), buffer.data(), buffer.size());
  if (got < 0) return Failed("read", path, errno);
  std::string_view text(buffer.data(), static_cast<std::size_t>(got));
  if (text.size() == buffer.size()) return Malformed("read " + path, "an attribute above 4 KiB");
  if (recording_) recording_->SawFile(path, text);
  if (text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text);
}

Result<std::string> HostRoot::ReadFile(const std::string& path, std::size_t limit) const {
  Result<std::string> text = ReadWhole(path, limit);
  if (text && recording_) recording_->SawFile(path, *text);
  return text;
}

Result<std::string> HostRoot::ReadWhole(const std::string& path, std::size_t limit) const {
  const Result<UniqueFd> file = OpenToRead(path);
  if (!file) return std::unexpected(file.error());
  std::string text;
  std::array<char, kPage> buffer;
  for (;;) {
    const ssize_t got = ReadSome(file->Get(), buffer.data(), buffer.size());
    if (got < 0) return Failed("read", path, errno);
    if (got == 0) return text;
    if (static_cast<std::size_t>(got) > limit - text.size()) {
      return Malformed("read " + path, "above " + std::to_string(limit) + " bytes");
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

Result<std::vector<std::byte>> HostRoot::ReadBytes(const std::string& path,
                                                   std::size_t limit) const {
  const Result<std::string> text = ReadFile(path, limit);
  if (!text) return std::unexpected(text.error());
  std::vector<std::byte> bytes(text->size());
  std::ranges::transform(*text, bytes.begin(), [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}

Result<std::string> HostRoot::ReadLink(const std::string& path) const {
  std::array<char, kPage> buffer;
  ssize_t got = -1;
  if (live_) {
    got = readlinkat(fd_.Get(), path.c_str(), buffer.data(), buffer.size());
  } else {
    const UniqueFd link(OpenInside(fd_, path.c_str(), O_PATH | O_NOFOLLOW));
    if (!link) return Failed("readlink", path, errno);
    struct stat status{};
    if (fstat(link.Get(), &status) != 0) return Failed("readlink", path, errno);
    // An empty path names the descriptor itself; the kernel says ENOENT there for what is no link.
    if (!S_ISLNK(status.st_mode)) {
      return std::unexpected(Error{Fault::kGone, "readlink " + path, EINVAL});
    }
    got = readlinkat(link.Get(), "", buffer.data(), buffer.size());
  }
  if (got < 0) return Failed("readlink", path, errno);
  const auto size = static_cast<std::size_t>(got);
  if (size == buffer.size()) return Malformed("readlink " + path, "a target above 4 KiB");
  std::string target(buffer.data(), size);
  if (recording_) recording_->SawLink(path, target);
  return target;
}

Result<std::string> HostRoot::ReadLinkIfThere(const std::string& path) const {
  return OrEmpty(ReadLink(path));
}

Result<std::vector<DirectoryEntry>> HostRoot::List(const std::string& path) const {
  const UniqueFd directory(OpenAt(path, O_RDONLY | O_DIRECTORY | O_NOCTTY));
  if (!directory) return Failed("open", path, errno);
  std::vector<DirectoryEntry> entries;
  alignas(dirent64) std::array<char, kDirectoryBuffer> buffer;
  for (;;) {
    const ssize_t got = getdents64(directory.Get(), buffer.data(), buffer.size());
    if (got < 0) return Failed("getdents", path, errno);
    if (got == 0) break;
    AppendEntries({buffer.data(), static_cast<std::size_t>(got)}, entries);
  }
  if (recording_) recording_->SawDirectory(path, entries);
  return entries;
}

Result<bool> HostRoot::Exists(const std::string& path) const {
  struct stat status{};
  int outcome = -1;
  if (live_) {
    outcome = fstatat(fd_.Get(), path.c_str(), &status, 0);
  } else {
    const UniqueFd found(OpenInside(fd_, path.c_str(), O_PATH));
    if (found) outcome = 0;
  }
  if (outcome == 0) {
    if (recording_) recording_->SawSomething(path);
    return true;
  }
  std::unexpected<Error> failed = Failed("stat", path, errno);
  if (IsGone(failed.error())) return false;
  return failed;
}

Result<bool> HostRoot::MayOpen(const std::string& path) const {
  if (!live_) return SystemError("access " + path, EROFS);
  if (faccessat(fd_.Get(), path.c_str(), R_OK | W_OK, AT_EACCESS) == 0) return true;
  // EPERM: the cgroup of a container has no such device.
  if (errno == EACCES || errno == EPERM) return false;
  return Failed("access", path, errno);
}

Result<std::optional<DeviceNumber>> HostRoot::NodeNumber(const std::string& path) const {
  auto number = ReadNumber(path);
  if (number && recording_) {
    // On a live host what has no number is something else; a captured tree may just not say.
    const bool unknown = !live_ && !*number;
    recording_->SawNode(path,
                        unknown ? std::nullopt : std::optional(number->value_or(DeviceNumber{})));
  }
  return number;
}

Result<std::optional<DeviceNumber>> HostRoot::ReadNumber(const std::string& path) const {
  struct stat status{};
  if (live_) {
    if (fstatat(fd_.Get(), path.c_str(), &status, 0) != 0) return Failed("stat", path, errno);
  } else {
    const UniqueFd found(OpenInside(fd_, path.c_str(), O_PATH));
    if (!found || fstat(found.Get(), &status) != 0) return Failed("stat", path, errno);
    if (S_ISREG(status.st_mode)) {
      constexpr std::size_t kLongest = sizeof("4294967295:4294967295\n");
      Result<std::string> text = ReadWhole(path, kLongest);
      if (!text) return std::optional<DeviceNumber>();
      if (text->ends_with('\n')) text->pop_back();
      return ParseDeviceNumber(*text);
    }
  }
  if (!S_ISCHR(status.st_mode)) return std::optional<DeviceNumber>();
  return std::optional(DeviceNumber{major(status.st_rdev), minor(status.st_rdev)});
}

Result<std::uint64_t> HostRoot::Identity(const std::string& path) const {
  if (!live_) return SystemError("stat " + path, EROFS);
  struct stat status{};
  if (fstatat(fd_.Get(), path.c_str(), &status, 0) != 0) return Failed("stat", path, errno);
  return status.st_ino;
}

Result<UniqueFd> HostRoot::OpenToWrite(const std::string& path) const {
  if (!live_) return SystemError("open " + path, EROFS);
  UniqueFd fd = OpenAt(path, O_WRONLY | O_NOCTTY);
  if (!fd) return Failed("open", path, errno);
  return fd;
}

Result<void> HostRoot::WriteAttribute(const std::string& path, std::string_view text) const {
  const Result<UniqueFd> fd = OpenToWrite(path);
  if (!fd) return std::unexpected(fd.error());
  // Not again after EINTR: the kernel may have begun.
  const ssize_t put = write(fd->Get(), text.data(), text.size());
  if (put < 0) return Failed("write", path, errno);
  if (static_cast<std::size_t>(put) != text.size()) return SystemError("write " + path, EIO);
  return {};
}

Result<UniqueFd> HostRoot::OpenCharDevice(const std::string& path,
                                          const DeviceNumber& number) const {
  if (!live_) return SystemError("open " + path, EROFS);
  // Looked at first: what a stale file leads to is not to be opened at all.
  const auto there = NodeNumber(path);
  if (!there) return std::unexpected(there.error());
  if (*there != number) return SystemError("open " + path, EBADFD);
  UniqueFd fd = OpenAt(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (!fd) return Failed("open", path, errno);
  struct stat status{};
  if (fstat(fd.Get(), &status) != 0) return Failed("stat", path, errno);
  const DeviceNumber opened{major(status.st_rdev), minor(status.st_rdev)};
  if (!S_ISCHR(status.st_mode) || opened != number) return SystemError("open " + path, EBADFD);
  return fd;
}

}  // namespace vdpa
