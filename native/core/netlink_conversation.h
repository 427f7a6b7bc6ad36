// One request and its answers over a channel: sequence numbers, senders, ends. Knows no family.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "netlink_channel.h"
#include "netlink_message.h"
#include "result.h"

namespace vdpa {

/// Sees one message of an answer; the bytes live until it returns. An error ends the exchange.
using MessageVisitor = std::function<Result<void>(const NetlinkMessage&)>;

/// Used by one thread at a time, one exchange after another.
class NetlinkConversation {
 public:
  explicit NetlinkConversation(std::unique_ptr<NetlinkChannel> channel);

  /// Sends one request. With NLM_F_ACK it ends at the acknowledgement, without at the first
  /// message. A refusal is Fault::kSystem with the kernel's words; what a success says is returned.
  Result<Acknowledgement> Do(std::string_view op, std::vector<std::byte> request, Deadline deadline,
                             const MessageVisitor& visit);

  /// Sends a dump request and sees every message. Fault::kLost after the last one when the kernel
  /// says that the list changed meanwhile (NLM_F_DUMP_INTR): what was seen may be kept as a part.
  Result<void> Dump(std::string_view op, std::vector<std::byte> request, Deadline deadline,
                    const MessageVisitor& visit);

  /// False once an exchange did not reach its end: late answers or a running dump (the next one
  /// would get EBUSY) are still in the socket, so it is to be thrown away.
  bool Usable() const { return usable_; }

 private:
  enum class Mode : std::uint8_t { kDo, kDump };
  struct Progress {
    std::string_view op;
    std::uint32_t sequence = 0;
    Mode mode = Mode::kDo;
    bool wants_acknowledgement = false;
    bool interrupted = false;
    std::optional<Acknowledgement> end = std::nullopt;
  };

  Result<Acknowledgement> Exchange(Progress progress, std::vector<std::byte> request,
                                   Deadline deadline, const MessageVisitor& visit);
  static Result<void> Take(const NetlinkMessage& message, Progress& progress,
                           const MessageVisitor& visit);

  std::unique_ptr<NetlinkChannel> channel_;
  std::vector<std::byte> buffer_;
  std::uint32_t last_sequence_ = 0;
  bool usable_ = true;
};

}  // namespace vdpa
