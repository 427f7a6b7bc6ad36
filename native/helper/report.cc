#include "helper/report.h"

#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/change_task.h"

namespace vdpa::helper {

void Report::Line(std::initializer_list<std::string_view> fields) const { Raw(ReportLine(fields)); }

void Report::Failed(const Error& error) const {
  Line({"failed", std::to_string(static_cast<int>(error.fault)), std::to_string(error.errno_value),
        error.op, error.message});
}

void Report::Raw(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t put = write(fd_, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

}  // namespace vdpa::helper
