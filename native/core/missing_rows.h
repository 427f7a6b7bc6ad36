// Asking by name for what the dumps of a changing host missed.
#pragma once

#include <set>

#include "netlink_channel.h"
#include "records.h"
#include "result.h"
#include "snapshot_rows.h"
#include "vdpa_family.h"

namespace vdpa {

/// Asks for each device that is on the bus and has no row, and for each management device without
/// one that is known by name: those that devices name, and those `seen` in earlier attempts. They
/// have no directory that would list them all.
///
/// What is gone meanwhile is dropped from the bus as well; what the family refuses to tell of stays
/// without a row. Management devices stay in order. When the family itself is gone it is forgotten,
/// together with all of its rows. Fails when a system call, the deadline, or malformed bytes stop
/// it, and when answers are dropped again and again.
Result<void> AskForMissingRows(VdpaFamily& family, const std::set<MgmtHandle>& seen,
                               Deadline deadline, Snapshot& snapshot);

}  // namespace vdpa
