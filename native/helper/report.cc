#include "helper/report.h"

#include <unistd.h>

#include <cerrno>
#include <string>

#include "core/change_task.h"

namespace vdpa::helper {

std::string Refusal(std::string_view why, std::string_view name, std::string_view detail) {
  return ReportLine({"refused", why, name, detail});
}

std::string Failure(const Error& error) {
  return ReportLine({"failed", std::to_string(static_cast<int>(error.fault)),
                     std::to_string(error.errno_value), error.op, error.message});
}

void Report::Line(std::initializer_list<std::string_view> fields) const { Raw(ReportLine(fields)); }

void Report::Raw(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t put = write(fd_, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

}  // namespace vdpa::helper
