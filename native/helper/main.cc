// vdpa_host_helper: one change of the host per process, so that the kernel keeps nothing else.
#include <linux/close_range.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/change_task.h"
#include "core/host_root.h"
#include "helper/keeper.h"
#include "helper/report.h"

namespace {

/// Nothing of the caller's may live on in a process that the kernel can keep: no descriptor, and so
/// no lock.
void CloseInherited() {
  constexpr unsigned kFirst = 3;
  if (syscall(SYS_close_range, kFirst, ~0U, 0) == 0) return;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  for (unsigned fd = kFirst; fd < limit.rlim_cur; ++fd) close(static_cast<int>(fd));
}

/// A PF can have more VFs than the usual limit has descriptors.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace vdpa;
  CloseInherited();
  RaiseDescriptorLimit();
  std::signal(SIGPIPE, SIG_IGN);
  const helper::Report report(STDOUT_FILENO);
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  const Result<ChangeTask> task = ParseChangeTask(words);
  if (!task) {
    report.Failed(task.error());
    return 0;
  }
  Result<HostRoot> root = HostRoot::Open("/");
  if (!root) {
    report.Failed(root.error());
    return 0;
  }
  helper::Keep(std::make_shared<const HostRoot>(std::move(*root)), *task, report);
  return 0;
}
