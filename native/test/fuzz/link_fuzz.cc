// The payload of an RTM_NEWLINK message.
#include <linux/rtnetlink.h>

#include "core/link_dump.h"
#include "core/netlink_message.h"

namespace {

/// What a recording keeps of an interface says the same of it.
void CheckReduced(const vdpa::Link& link, std::span<const std::byte> payload) {
  const auto reduced = vdpa::ReduceLinks(vdpa::BuildMessage(RTM_NEWLINK, 0, {}, payload));
  vdpa::MessageReader messages(reduced);
  const auto message = messages.Next();
  if (!message) __builtin_trap();
  const auto again = vdpa::ParseLink(message->payload);
  if (!again || *again != link || messages.Next() || !messages.End()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto payload = std::as_bytes(std::span(data, size));
  const auto link = vdpa::ParseLink(payload);
  if (!link) return 0;
  if (link->phys_switch_id.find_first_not_of("0123456789abcdef") != std::string::npos) {
    __builtin_trap();
  }
  CheckReduced(*link, payload);
  return 0;
}
