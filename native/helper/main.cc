// vdpa_host_helper: one change of the host per process, so that the kernel keeps nothing else.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/change_task.h"
#include "core/host_root.h"
#include "core/inherited_descriptors.h"
#include "helper/keeper.h"
#include "helper/report.h"

namespace {

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
  CloseInheritedDescriptors();
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
