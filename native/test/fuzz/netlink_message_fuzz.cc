// A datagram from a socket: its messages, acknowledgements and ends, and a whole dump made of it.
#include "core/netlink_conversation.h"

namespace {

// Gives the input as the answer, in two datagrams, with the request's sequence number in place.
class FuzzedChannel final : public vdpa::NetlinkChannel {
 public:
  explicit FuzzedChannel(std::span<const std::byte> answer) : rest_(answer) {}
  vdpa::Result<void> Send(std::span<const std::byte>, vdpa::Deadline) override { return {}; }
  vdpa::Result<vdpa::Datagram> Receive(std::span<std::byte> buffer, vdpa::Deadline) override {
    if (rest_.empty()) return std::unexpected(vdpa::Error{vdpa::Fault::kTimeout, "fuzz"});
    const auto size = std::min((rest_.size() + 1) / 2, buffer.size());
    std::copy_n(rest_.begin(), size, buffer.begin());
    rest_ = rest_.subspan(size);
    return vdpa::Datagram{buffer.first(size)};
  }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  vdpa::MessageReader reader(bytes);
  std::size_t walked = 0;
  while (auto message = reader.Next()) {
    walked += message->bytes.size();
    (void)vdpa::ParseAcknowledgement(*message);
    (void)vdpa::ParseDone(*message);
  }
  if (walked > size) __builtin_trap();
  (void)reader.End();

  vdpa::NetlinkConversation conversation(std::make_unique<FuzzedChannel>(bytes));
  const auto done =
      conversation.Dump("fuzz", vdpa::BuildMessage(19, 0x301, {}, {}), vdpa::Deadline::max(),
                        [](const vdpa::NetlinkMessage&) -> vdpa::Result<void> { return {}; });
  if (done && !conversation.Usable()) __builtin_trap();
  return 0;
}
