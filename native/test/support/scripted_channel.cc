#include "scripted_channel.h"

#include <algorithm>
#include <cerrno>

namespace vdpa::test {
namespace {

void Resequence(Bytes& datagram, std::uint32_t sequence) {
  std::size_t at = 0;
  while (at + sizeof(nlmsghdr) <= datagram.size()) {
    const auto length = HeaderOf(std::span(datagram).subspan(at)).nlmsg_len;
    SetSequence(std::span(datagram).subspan(at), sequence);
    if (length < sizeof(nlmsghdr)) return;
    at += (length + 3U) / 4 * 4;
  }
}

}  // namespace

Result<void> ScriptedChannel::Send(std::span<const std::byte> request, Deadline) {
  script_->requests.emplace_back(request.begin(), request.end());
  if (script_->answers.empty()) return {};
  for (auto step : script_->answers.front()) {
    if (!step.own_sequence) Resequence(step.bytes, HeaderOf(request).nlmsg_seq);
    pending_.push_back(std::move(step));
  }
  script_->answers.pop_front();
  return {};
}

Result<Datagram> ScriptedChannel::Receive(std::span<std::byte> buffer, Deadline) {
  if (pending_.empty()) {
    return std::unexpected(Error{Fault::kTimeout, "scripted", ETIMEDOUT, "silence"});
  }
  const Step step = pending_.front();
  pending_.pop_front();
  if (step.error) return std::unexpected(*step.error);
  const auto size = std::min(buffer.size(), step.bytes.size());
  std::copy_n(step.bytes.begin(), size, buffer.begin());
  return Datagram{buffer.first(size), step.sender_port, step.truncated || size < step.bytes.size()};
}

ChannelFactory FactoryOf(const std::shared_ptr<Script>& script) {
  return [script]() -> Result<std::unique_ptr<NetlinkChannel>> {
    ++script->opened;
    return std::make_unique<ScriptedChannel>(script);
  };
}

}  // namespace vdpa::test
