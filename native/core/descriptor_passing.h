// A file descriptor for another process, beside the bytes that speak of it.
#pragma once

#include <string_view>

#include "netlink_channel.h"
#include "result.h"

namespace vdpa {

/// Sends all of `bytes` over a unix stream, and with the first of them a duplicate of `descriptor`
/// (SCM_RIGHTS): whoever receives that byte has it. The stream may be non-blocking. After a failure
/// some bytes, and the descriptor, may have been sent; nothing else may go over the stream then.
/// EINVAL for no bytes at all, which nothing could go with.
Result<void> SendWithDescriptor(int stream, std::string_view bytes, int descriptor,
                                Deadline deadline);

}  // namespace vdpa
