// A NetlinkChannel that also keeps what the kernel answers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "netlink_channel.h"
#include "recorded_request.h"
#include "recording.h"
#include "result.h"

namespace vdpa {

/// Keeps whole answers only, in the form that ReplayChannel reads: one that was cut short or lost
/// is none. A replay asks for no single device, so what a single device or management device
/// answers goes into the list.
class RecordingChannel final : public NetlinkChannel {
 public:
  RecordingChannel(std::unique_ptr<NetlinkChannel> channel, std::shared_ptr<Recording> recording)
      : channel_(std::move(channel)), recording_(std::move(recording)) {}

  Result<void> Send(std::span<const std::byte> request, Deadline deadline) override;
  Result<Datagram> Receive(std::span<std::byte> buffer, Deadline deadline) override;

 private:
  void Take(std::span<const std::byte> datagram);
  /// The answer to a request, once it is whole, with the errno that it ended with.
  void Keep(const RecordedRequest& request, int errno_value) const;
  void KeepOne(const RecordedRequest& request, int errno_value) const;
  void AppendToList(const std::string& path) const;

  std::unique_ptr<NetlinkChannel> channel_;
  std::shared_ptr<Recording> recording_;
  std::optional<RecordedRequest> request_;  ///< whose answer is on its way
  std::vector<std::byte> answer_;
};

}  // namespace vdpa
