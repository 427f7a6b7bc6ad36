#include "host_channels.h"

#include <string>
#include <utility>

#include "netlink_socket.h"
#include "replay_channel.h"

namespace vdpa {

namespace {

/// A dump of 4,000 devices is 400 KiB.
constexpr std::size_t kMaxRecordingBytes = std::size_t{8} * 1024 * 1024;

ChannelFactory Channels(std::shared_ptr<const HostRoot> root, NetlinkProtocol protocol) {
  if (root->Live()) {
    return [protocol] { return NetlinkSocket::Open(protocol); };
  }
  return [root = std::move(root)]() -> Result<std::unique_ptr<NetlinkChannel>> {
    return std::make_unique<ReplayChannel>([root](std::string_view path) {
      return root->ReadBytes(std::string(path), kMaxRecordingBytes);
    });
  };
}

}  // namespace

ChannelFactory VdpaChannels(std::shared_ptr<const HostRoot> root) {
  return Channels(std::move(root), NetlinkProtocol::kGeneric);
}

LinkSource LinksOf(std::shared_ptr<const HostRoot> root) {
  return [open = Channels(std::move(root), NetlinkProtocol::kRoute)](Deadline deadline) {
    return ReadLinks(open, deadline);
  };
}

}  // namespace vdpa
