// The rows of dumps that a changing host answered, brought into the form in which they are told.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "records.h"

namespace vdpa {

/// Bus and name: which management device it is.
using MgmtHandle = std::pair<std::string, std::string>;

/// Drops the rows of devices that are not among `listed`, which is in order of name. Of two rows of
/// one device the later one stays: the device was deleted and made again during the dump.
void KeepListed(std::vector<VdpaDevice>& rows, const std::vector<BusDevice>& listed);

/// Brings the rows in order of bus and name. Of two rows of one device the later one stays.
void OrderMgmtDevices(std::vector<MgmtDevice>& rows);

/// What a snapshot says when there is no family: nothing of its own.
void ForgetFamily(Snapshot& snapshot);

}  // namespace vdpa
