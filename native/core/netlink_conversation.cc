#include "netlink_conversation.h"

#include <linux/netlink.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "paced_deadline.h"

namespace vdpa {
namespace {

// The kernel sizes the parts of a dump after the largest receive seen on the socket, up to 32 KiB.
// One large buffer for everything makes dumps ten times fewer parts than a page-sized one.
constexpr std::size_t kBufferBytes = 64UL * 1024;

std::unexpected<Error> Lost(std::string_view op, int errno_value, std::string message) {
  return std::unexpected(
      Error{Fault::kLost, std::string(op), errno_value, std::move(message), std::nullopt});
}

bool WantsAcknowledgement(std::span<const std::byte> request) {
  nlmsghdr header{};
  if (request.size() < sizeof(header)) return false;
  std::memcpy(&header, request.data(), sizeof(header));
  return (header.nlmsg_flags & NLM_F_ACK) != 0;
}

}  // namespace

NetlinkConversation::NetlinkConversation(std::unique_ptr<NetlinkChannel> channel)
    : channel_(std::move(channel)), buffer_(kBufferBytes) {}

Result<Acknowledgement> NetlinkConversation::Do(std::string_view op, std::vector<std::byte> request,
                                                Deadline deadline, const MessageVisitor& visit) {
  const bool acknowledged = WantsAcknowledgement(request);
  return Exchange({.op = op, .mode = Mode::kDo, .wants_acknowledgement = acknowledged},
                  std::move(request), deadline, visit);
}

Result<void> NetlinkConversation::Dump(std::string_view op, std::vector<std::byte> request,
                                       Deadline deadline, const MessageVisitor& visit) {
  auto end = Exchange({.op = op, .mode = Mode::kDump}, std::move(request), deadline, visit);
  if (!end) return std::unexpected(end.error());
  return {};
}

Result<Acknowledgement> NetlinkConversation::Exchange(Progress progress,
                                                      std::vector<std::byte> request,
                                                      Deadline deadline,
                                                      const MessageVisitor& visit) {
  // Never 0: the kernel uses it for messages that nobody asked for.
  if (++last_sequence_ == 0) ++last_sequence_;
  progress.sequence = last_sequence_;
  SetSequence(request, progress.sequence);

  usable_ = false;
  auto sent = channel_->Send(request, deadline);
  if (!sent) return std::unexpected(sent.error());

  PacedDeadline paced(deadline);
  while (!progress.end) {
    auto datagram = channel_->Receive(buffer_, deadline);
    if (!datagram) return std::unexpected(datagram.error());
    if (datagram->sender_port == 0) {
      if (datagram->truncated) return Lost(progress.op, 0, "an answer did not fit the buffer");
      MessageReader messages(datagram->bytes);
      while (auto message = messages.Next()) {
        // A late answer to an exchange that its caller gave up is not ours.
        if (message->sequence != progress.sequence || progress.end) continue;
        auto taken = Take(*message, progress, visit);
        if (!taken) return std::unexpected(taken.error());
      }
      auto walked = messages.End();
      if (!walked) return std::unexpected(walked.error());
    }
    // A channel with bytes ready does not look at the clock: strangers must not keep us here.
    if (!progress.end && paced.Passed()) {
      return std::unexpected(Error{Fault::kTimeout, std::string(progress.op), ETIMEDOUT,
                                   "no end of the answer before the deadline"});
    }
  }

  usable_ = true;
  if (progress.end->errno_value != 0) {
    return std::unexpected(Error{Fault::kSystem, std::string(progress.op),
                                 progress.end->errno_value, progress.end->message,
                                 progress.end->attribute_offset});
  }
  if (progress.interrupted) {
    return Lost(progress.op, EINTR, "the list changed while it was read");
  }
  return *std::move(progress.end);
}

Result<void> NetlinkConversation::Take(const NetlinkMessage& message, Progress& progress,
                                       const MessageVisitor& visit) {
  if ((message.flags & NLM_F_DUMP_INTR) != 0 && progress.mode == Mode::kDump) {
    progress.interrupted = true;
  }
  switch (message.type) {
    case NLMSG_NOOP:
      return {};
    case NLMSG_OVERRUN:
      return Lost(progress.op, ENOBUFS, "the kernel reports an overrun");
    case NLMSG_ERROR: {
      auto parsed = ParseAcknowledgement(message);
      if (!parsed) return std::unexpected(parsed.error());
      // A dump that started is not over at an acknowledgement of its start.
      if (progress.mode == Mode::kDump && parsed->errno_value == 0) return {};
      progress.end = *std::move(parsed);
      return {};
    }
    case NLMSG_DONE: {
      auto parsed = ParseDone(message);
      if (!parsed) return std::unexpected(parsed.error());
      progress.end = *std::move(parsed);
      return {};
    }
    default:
      break;
  }
  auto visited = visit(message);
  if (!visited) return visited;
  if (progress.mode == Mode::kDo && !progress.wants_acknowledgement) {
    progress.end = Acknowledgement{};
  }
  return {};
}

}  // namespace vdpa
