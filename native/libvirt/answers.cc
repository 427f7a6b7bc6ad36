#include "libvirt/answers.h"

#include <unistd.h>

#include <cerrno>

#include "core/netstring.h"

namespace vdpa::libvirt {

void Answers::Say(const std::vector<std::string_view>& fields) {
  const std::string text = NetstringOf(fields);
  const std::scoped_lock lock(mutex_);
  for (std::string_view left = text; !left.empty();) {
    const ssize_t put = write(fd_, left.data(), left.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) _exit(1);
    left.remove_prefix(static_cast<std::size_t>(put));
  }
}

}  // namespace vdpa::libvirt
