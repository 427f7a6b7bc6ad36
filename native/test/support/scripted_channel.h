// A netlink channel that says what the test tells it to.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "../../core/netlink_channel.h"
#include "bytes.h"

namespace vdpa::test {

/// One thing that comes out of Receive.
struct Step {
  Bytes bytes;
  std::uint32_t sender_port = 0;
  bool truncated = false;
  std::optional<Error> error = std::nullopt;
  bool own_sequence = false;  ///< leave the sequence numbers as they are in `bytes`
};

/// Shared by the test and all channels that its factory opens.
struct Script {
  std::deque<std::vector<Step>> answers;  ///< one entry for each request; none left = silence
  std::vector<Bytes> requests;
  int opened = 0;

  Script& Answer(std::vector<Step> steps) {
    answers.push_back(std::move(steps));
    return *this;
  }
};

class ScriptedChannel final : public NetlinkChannel {
 public:
  explicit ScriptedChannel(std::shared_ptr<Script> script) : script_(std::move(script)) {}

  Result<void> Send(std::span<const std::byte> request, Deadline) override;
  Result<Datagram> Receive(std::span<std::byte> buffer, Deadline) override;

 private:
  std::shared_ptr<Script> script_;
  std::deque<Step> pending_;
};

ChannelFactory FactoryOf(const std::shared_ptr<Script>& script);

/// A deadline that no test reaches.
inline Deadline Soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(30); }

}  // namespace vdpa::test
