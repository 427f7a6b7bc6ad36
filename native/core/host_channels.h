// Where a host's netlink answers come from: this machine's kernel, or the recording in its root.
#pragma once

#include <memory>

#include "host_root.h"
#include "netlink_channel.h"
#include "snapshot.h"

namespace vdpa {

/// Channels to the `vdpa` family of the host that `root` is.
ChannelFactory VdpaChannels(std::shared_ptr<const HostRoot> root);

/// The network interfaces of the host that `root` is.
LinkSource LinksOf(std::shared_ptr<const HostRoot> root);

}  // namespace vdpa
