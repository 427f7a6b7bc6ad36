#include "genetlink.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "attribute.h"

namespace vdpa {
namespace {

constexpr auto kGetFamily = "GETFAMILY";

constexpr std::array kFamilyFields = {
    Row<VdpaAbi, &VdpaAbi::family_id>(CTRL_ATTR_FAMILY_ID, Presence::kRequired),
    Row<VdpaAbi, &VdpaAbi::max_attribute>(CTRL_ATTR_MAXATTR, Presence::kRequired),
};

struct Operation {
  std::uint32_t id = 0;
};
constexpr std::array kOperationFields = {
    Row<Operation, &Operation::id>(CTRL_ATTR_OP_ID, Presence::kRequired),
};

// CTRL_ATTR_OPS: one nested attribute per command, whose own type is only a running number.
void ReadOperations(AttributeReader& reader, const Attribute& attribute, VdpaAbi& abi) {
  if (attribute.type != CTRL_ATTR_OPS) return;
  AttributeReader list(attribute.payload);
  while (auto entry = list.Next()) {
    auto operation = ParseRecord<Operation>(kGetFamily, kOperationFields, entry->payload);
    if (!operation) {
      list.Fail(operation.error().message);
    } else if (operation->id < 64) {
      abi.commands |= std::uint64_t{1} << operation->id;
    }
  }
  if (!list.Ok()) reader.Fail("operations: " + list.Problem());
}

std::vector<std::byte> Encode(const GenlRequest& request, std::uint16_t flags) {
  // `reserved` must be 0 and no flag but these be set, or newer commands are refused with EINVAL.
  const genlmsghdr header{request.command, request.version, 0};
  return BuildMessage(request.family_id, static_cast<std::uint16_t>(NLM_F_REQUEST | flags),
                      std::as_bytes(std::span(&header, 1)), request.attributes);
}

MessageVisitor Unwrap(const GenlRequest& request, const GenlVisitor& visit, std::size_t& replies) {
  return [&request, &visit, &replies](const NetlinkMessage& message) -> Result<void> {
    if (message.type != request.family_id) {
      return Malformed(std::string(request.op),
                       "a message of type " + std::to_string(message.type));
    }
    genlmsghdr header{};
    if (message.payload.size() < sizeof(header)) {
      return Malformed(std::string(request.op), "no generic netlink header");
    }
    std::memcpy(&header, message.payload.data(), sizeof(header));
    ++replies;
    return visit({header.cmd, message.payload.subspan(GENL_HDRLEN)});
  };
}

}  // namespace

Result<VdpaAbi> ParseFamily(std::span<const std::byte> attributes) {
  return ParseRecord<VdpaAbi>(kGetFamily, kFamilyFields, attributes, ReadOperations);
}

Result<VdpaAbi> Genetlink::ResolveFamily(std::string_view name, Deadline deadline) {
  AttributeWriter attributes;
  attributes.Add(CTRL_ATTR_FAMILY_NAME, name);
  VdpaAbi abi;
  auto done = Get({.op = kGetFamily,
                   .family_id = GENL_ID_CTRL,
                   .command = CTRL_CMD_GETFAMILY,
                   .attributes = attributes.Bytes()},
                  deadline, [&abi](const GenlMessage& message) -> Result<void> {
                    auto parsed = ParseFamily(message.attributes);
                    if (!parsed) return std::unexpected(parsed.error());
                    abi = *parsed;
                    return {};
                  });
  if (!done) {
    Error error = done.error();
    if (error.fault == Fault::kSystem && error.errno_value == ENOENT) {
      error.fault = Fault::kNoFamily;
      error.message = "no generic netlink family " + std::string(name);
    }
    return std::unexpected(std::move(error));
  }
  return abi;
}

Result<void> Genetlink::Get(const GenlRequest& request, Deadline deadline,
                            const GenlVisitor& visit) {
  std::size_t replies = 0;
  auto done =
      conversation_.Do(request.op, Encode(request, 0), deadline, Unwrap(request, visit, replies));
  if (!done) return std::unexpected(done.error());
  if (replies == 0) return Malformed(std::string(request.op), "an end without a reply");
  return {};
}

Result<Acknowledgement> Genetlink::Change(const GenlRequest& request, Deadline deadline) {
  return conversation_.Do(request.op, Encode(request, NLM_F_ACK), deadline,
                          [](const NetlinkMessage&) -> Result<void> { return {}; });
}

Result<void> Genetlink::Dump(const GenlRequest& request, Deadline deadline,
                             const GenlVisitor& visit) {
  std::size_t replies = 0;
  return conversation_.Dump(request.op, Encode(request, NLM_F_DUMP), deadline,
                            Unwrap(request, visit, replies));
}

}  // namespace vdpa
