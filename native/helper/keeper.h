// The process that holds the char devices of a change and watches over the time.
#pragma once

#include <memory>

#include "core/change_task.h"
#include "core/host_root.h"
#include "helper/report.h"

namespace vdpa::helper {

/// Makes the change and reports it; returns when it has ended or its time is up, and never waits
/// for the kernel but in opening a char device. What it holds is let go as the process ends.
void Keep(const std::shared_ptr<const HostRoot>& root, const ChangeTask& task,
          const Report& report);

}  // namespace vdpa::helper
