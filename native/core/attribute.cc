#include "attribute.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cstring>

namespace vdpa {

void AttributeReader::Fail(std::string message) {
  if (Ok()) error_ = std::move(message);
}

void AttributeReader::FailHeader(const nlattr& header) {
  if (rest_.size() < sizeof(header)) {
    Fail(std::to_string(rest_.size()) + " bytes after the last attribute");
  } else {
    Fail("attribute " + std::to_string(header.nla_type & NLA_TYPE_MASK) + " claims " +
         std::to_string(header.nla_len) + " bytes of " + std::to_string(rest_.size()));
  }
}

void AttributeReader::FailSize(const Attribute& attribute, std::size_t size) {
  Fail("attribute " + std::to_string(attribute.type) + " has " +
       std::to_string(attribute.payload.size()) + " bytes, not " + std::to_string(size));
}

AttributeWriter& AttributeWriter::Add(std::uint16_t type, std::uint16_t value) {
  return AddBytes(type, std::as_bytes(std::span(&value, 1)));
}
AttributeWriter& AttributeWriter::Add(std::uint16_t type, std::uint32_t value) {
  return AddBytes(type, std::as_bytes(std::span(&value, 1)));
}
AttributeWriter& AttributeWriter::Add(std::uint16_t type, std::uint64_t value) {
  return AddBytes(type, std::as_bytes(std::span(&value, 1)));
}
AttributeWriter& AttributeWriter::Add(std::uint16_t type, const MacAddress& value) {
  return AddBytes(type, std::as_bytes(std::span(value)));
}

AttributeWriter& AttributeWriter::Add(std::uint16_t type, std::string_view value) {
  const std::string with_nul(value);
  return AddBytes(type, std::as_bytes(std::span(with_nul.c_str(), with_nul.size() + 1)));
}

AttributeWriter& AttributeWriter::AddBytes(std::uint16_t type, std::span<const std::byte> payload) {
  const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()), type};
  const auto head = std::as_bytes(std::span(&header, 1));
  bytes_.insert(bytes_.end(), head.begin(), head.end());
  bytes_.insert(bytes_.end(), payload.begin(), payload.end());
  bytes_.resize(NLA_ALIGN(bytes_.size()));
  return *this;
}

}  // namespace vdpa
