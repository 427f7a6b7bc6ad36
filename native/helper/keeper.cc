#include "helper/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/device_holders.h"
#include "core/host_channels.h"
#include "core/private_node.h"
#include "core/unique_fd.h"
#include "core/vdpa_bus.h"
#include "core/vdpa_family.h"
#include "core/vf_devices.h"
#include "helper/worker.h"

namespace vdpa::helper {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How long after the deadline the worker may take to put back what it took, one thing at a time:
/// however many there are, the caller is told of the last, as long as it goes on.
constexpr milliseconds kGrace{500};
constexpr milliseconds kNodePoll{2};
constexpr std::size_t kReportBuffer = 4096;
/// The wait for a creation; a deletion that waits for good keeps the same lock, and is no reason.
constexpr milliseconds kCreationWait{500};

struct Held {
  std::string directory;  ///< the char device's own, gone together with its node
  UniqueFd fd;
};

/// The devices that the task is about, as they stand; nothing when it was refused.
std::optional<std::vector<BusDevice>> ReadDevices(const HostRoot& root, const ChangeTask& task,
                                                  const Report& report) {
  if (task.kind == ChangeTask::Kind::kSetVfs) {
    auto found = ReadVfDevices(root, task.target);
    if (!found && IsGone(found.error())) {
      report.Refused("gone", task.target);
    } else if (!found) {
      report.Failed(found.error());
    } else if (found->num_vfs != task.vfs_now) {
      report.Refused("changed", task.target);
    } else if (!task.force && !found->passed_vf.empty()) {
      report.Refused("passed", found->passed_vf);
    } else {
      return std::move(found->devices);
    }
    return std::nullopt;
  }
  auto device = ReadBusDevice(root, task.target);
  if (!device) {
    report.Failed(device.error());
    return std::nullopt;
  }
  if (!*device) {
    report.Refused("gone", task.target);
    return std::nullopt;
  }
  return std::vector{*std::move(*device)};
}

/// The devices that the task is about; nothing when it was refused.
std::optional<std::vector<Target>> Inspect(const HostRoot& root, const ChangeTask& task,
                                           const Report& report) {
  auto devices = ReadDevices(root, task, report);
  if (!devices) return std::nullopt;
  std::vector<Target> targets;
  targets.reserve(devices->size());
  for (BusDevice& device : *devices) {
    const Result<std::uint64_t> identity = root.Identity(DeviceFolder(device.name));
    if (!identity && !IsGone(identity.error())) {
      report.Failed(identity.error());
      return std::nullopt;
    }
    if (!identity || (task.identity && *task.identity != *identity)) {
      report.Refused("gone", device.name);
      return std::nullopt;
    }
    targets.push_back({std::move(device), *identity});
  }
  return targets;
}

std::string HolderText(const HostRoot& root, const CharDevice& node) {
  const auto holders = FindHolders(root, node.name, {node.major, node.minor});
  std::string text;
  if (!holders) return text;
  for (const DeviceHolder& holder : *holders) {
    text += (text.empty() ? "" : ", ") + holder.command + " (pid " + holder.pid + ")";
  }
  return text;
}

/// Opens the device's char device: from here on nobody else can, until it is closed with its node
/// gone. Or the line that says why not.
std::expected<Held, std::string> Hold(const HostRoot& root, const BusDevice& device,
                                      const Report& report) {
  const std::string& name = device.name;
  const auto refused = [&](std::string_view why, std::string_view detail = {}) {
    return std::unexpected(Refusal(why, name, detail));
  };
  if (!device.char_device) return refused("changed");  // just being bound, or unbound
  const CharDevice& node = *device.char_device;
  const std::string path = "dev/" + node.name;
  report.Look("open /" + path);
  Result<UniqueFd> fd = root.OpenCharDevice(path, {node.major, node.minor});
  // A missing or stale node says nothing about the device, which may be open by another.
  const int first = fd ? 0 : fd.error().errno_value;
  if (first == ENOENT || first == EBADFD) {
    Result<UniqueFd> by_number = OpenByNumber(root, {node.major, node.minor});
    const bool possible = by_number || by_number.error().errno_value == EBUSY;
    if (possible) fd = std::move(by_number);
  }
  const auto is_another = [&] {
    const std::optional<CharDevice> now =
        FindCharDevice(root, name).value_or(std::optional<CharDevice>());
    return !now || now->major != node.major || now->minor != node.minor;
  };
  if (!fd) {
    const Error& error = fd.error();
    // Somebody was faster: its node went with it.
    if ((error.errno_value == EBADFD || error.errno_value == ENOENT) && is_another()) {
      return refused("changed");
    }
    if (error.errno_value == EBUSY) return refused("busy", HolderText(root, node));
    if (error.errno_value == EBADFD) return refused("node-mismatch", "/" + path);
    if (error.errno_value == ENOENT) return refused("no-node", "/" + path);
    if (IsGone(error)) return refused("changed");
    return std::unexpected(Failure(error));
  }
  // While it is open neither name nor number can go to another; but before they may have.
  if (is_another()) return refused("changed");
  return Held{"sys/bus/vdpa/devices/" + name + "/" + node.name, *std::move(fd)};
}

/// Whether the task takes this device from the driver it is bound to.
bool IsTaken(const BusDevice& device, const ChangeTask& task) {
  if (device.driver.empty()) return false;
  return task.kind != ChangeTask::Kind::kBind || device.driver != task.driver;
}

/// Lets a creation that is under way end. vhost_vdpa shows a device's node before it has set up
/// what closing it uses: opened and closed in between, the node takes the kernel down (seen with
/// Linux 6.12). The answer about any device comes after the creation; what it says is no matter.
void AwaitCreation(const std::shared_ptr<const HostRoot>& root, const std::string& name,
                   const Report& report, Deadline deadline) {
  report.Look("DEV_GET " + name);
  VdpaFamily family(VdpaChannels(root));
  [[maybe_unused]] const auto answer =
      family.ReadDevice(name, std::min(deadline, steady_clock::now() + kCreationWait));
}

/// Everything that stands against it, before anything is touched: first what can be read, then the
/// opening of each char device. Nothing when it was refused.
std::optional<std::vector<Held>> HoldAll(const std::shared_ptr<const HostRoot>& root,
                                         const ChangeTask& task, const std::vector<Target>& targets,
                                         const Report& report, Deadline deadline) {
  for (const auto& [device, identity] : targets) {
    if (IsTaken(device, task) && device.driver != kVhostDriver && !task.force) {
      report.Refused("host-use", device.name, device.driver);
      return std::nullopt;
    }
  }
  std::vector<Held> held;
  for (const auto& [device, identity] : targets) {
    if (!IsTaken(device, task) || device.driver != kVhostDriver) continue;
    if (held.empty()) AwaitCreation(root, device.name, report, deadline);
    auto one = Hold(*root, device, report);
    if (!one) {
      held.clear();  // first: whoever is told may open them
      report.Raw(one.error());
      return std::nullopt;
    }
    held.push_back(*std::move(one));
  }
  return held;
}

bool IsEnd(std::string_view line) {
  return line.starts_with("done") || line.starts_with("refused") || line.starts_with("failed");
}

/// Passes the worker's lines on and closes the char devices one after the other, in the order in
/// which the worker unbinds them.
class Watch {
 public:
  Watch(const HostRoot& root, const Report& report, std::vector<Held> held, UniqueFd lines)
      : root_(root), report_(report), held_(std::move(held)), lines_(std::move(lines)) {}

  /// False when the time was up first, and its worker had said nothing for the grace.
  bool UntilEnd(Deadline deadline) {
    Deadline until = deadline + kGrace;
    for (;;) {
      const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
      if (left <= milliseconds::zero()) return false;
      const bool polls = next_ < held_.size();
      pollfd ready{.fd = lines_.Get(), .events = POLLIN, .revents = 0};
      const int count = poll(&ready, 1, static_cast<int>((polls ? kNodePoll : left).count()));
      if (count > 0) {
        if (!PassOn()) return true;
        until = std::max<Deadline>(until, steady_clock::now() + kGrace);
      }
      if (polls) CloseIfGone();
    }
  }

  bool SawEnd() const { return saw_end_; }

 private:
  /// False when the worker has ended.
  bool PassOn() {
    std::array<char, kReportBuffer> buffer;
    const ssize_t got = read(lines_.Get(), buffer.data(), buffer.size());
    if (got < 0) return errno == EINTR;
    if (got == 0) return false;
    pending_.append(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = pending_.find('\n')) != std::string::npos;) {
      if (IsEnd(pending_)) LetGo();
      report_.Raw(std::string_view(pending_).substr(0, end + 1));
      pending_.erase(0, end + 1);
    }
    return true;
  }

  /// Before the end is told: from then on others may open what was not taken.
  void LetGo() {
    saw_end_ = true;
    held_.clear();
    next_ = 0;
  }

  void CloseIfGone() {
    const auto there = root_.Exists(held_[next_].directory);
    if (!there || *there) return;
    held_[next_].fd = UniqueFd();
    ++next_;
  }

  const HostRoot& root_;
  const Report& report_;
  std::vector<Held> held_;
  std::size_t next_ = 0;
  UniqueFd lines_;
  std::string pending_;
  bool saw_end_ = false;
};

}  // namespace

void Keep(const std::shared_ptr<const HostRoot>& root, const ChangeTask& task,
          const Report& report) {
  const Deadline deadline = steady_clock::now() + task.timeout;
  const auto targets = Inspect(*root, task, report);
  if (!targets) return;
  auto held = HoldAll(root, task, *targets, report, deadline);
  if (!held) return;
  // Opening resets each device, and has taken too long: the caller has been told by now.
  if (steady_clock::now() >= deadline) return report.Line({"stuck"});

  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return report.Failed(SystemError("pipe", errno).error());
  UniqueFd from_worker(ends[0]);
  UniqueFd to_keeper(ends[1]);
  const pid_t keeper = getpid();
  // A process, not a thread: one that the kernel keeps in an unbind shares no descriptor with us,
  // so the end of this process, however it comes, closes what that unbind waits for.
  const pid_t worker = fork();
  if (worker < 0) return report.Failed(SystemError("fork", errno).error());
  if (worker == 0) {
    held->clear();
    from_worker = UniqueFd();
    close(STDOUT_FILENO);  // its end tells the caller that the keeper has ended
    // No step is begun that nobody watches, but for those that put things back (Worker::Undo).
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper) _exit(1);
    Worker(root, task, Report(to_keeper.Get()), deadline).Run(*targets);
    _exit(0);
  }
  to_keeper = UniqueFd();
  Watch watch(*root, report, *std::move(held), std::move(from_worker));
  if (!watch.UntilEnd(deadline)) {
    report.Line({"stuck"});
  } else if (!watch.SawEnd()) {
    report.Line({"died"});
  }
  // Not waited for: a worker that is still in the kernel is init's to bury.
}

}  // namespace vdpa::helper
