#include "inherited_descriptors.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vdpa {

void CloseInheritedDescriptors() {
  constexpr unsigned kFirst = 3;
  if (syscall(SYS_close_range, kFirst, ~0U, 0) == 0) return;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  for (unsigned fd = kFirst; fd < limit.rlim_cur; ++fd) close(static_cast<int>(fd));
}

}  // namespace vdpa
