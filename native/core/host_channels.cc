#include "host_channels.h"

#include <string>
#include <utility>

#include "netlink_socket.h"
#include "recording_channel.h"
#include "replay_channel.h"

namespace vdpa {

namespace {

/// A dump of 4,000 devices is 400 KiB.
constexpr std::size_t kMaxRecordingBytes = std::size_t{8} * 1024 * 1024;

ChannelFactory PlainChannels(std::shared_ptr<const HostRoot> root, NetlinkProtocol protocol) {
  if (root->Live()) {
    return [protocol] { return NetlinkSocket::Open(protocol); };
  }
  return [root = std::move(root)]() -> Result<std::unique_ptr<NetlinkChannel>> {
    return std::make_unique<ReplayChannel>([root](std::string_view path) {
      return root->ReadBytes(std::string(path), kMaxRecordingBytes);
    });
  };
}

ChannelFactory Channels(std::shared_ptr<const HostRoot> root, NetlinkProtocol protocol) {
  std::shared_ptr<Recording> recording = root->Recorded();
  ChannelFactory open = PlainChannels(std::move(root), protocol);
  if (!recording) return open;
  return [open = std::move(open),
          recording = std::move(recording)]() -> Result<std::unique_ptr<NetlinkChannel>> {
    auto channel = open();
    if (!channel) return channel;
    return std::make_unique<RecordingChannel>(*std::move(channel), recording);
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
