#include "attribute.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cstring>

namespace vdpa {

std::optional<Attribute> AttributeReader::Next() {
  while (Ok() && !rest_.empty()) {
    nlattr header{};
    if (rest_.size() < sizeof(header)) {
      Fail(std::to_string(rest_.size()) + " bytes after the last attribute");
      break;
    }
    std::memcpy(&header, rest_.data(), sizeof(header));
    const auto type = static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK);
    if (header.nla_len < sizeof(header) || header.nla_len > rest_.size()) {
      Fail("attribute " + std::to_string(type) + " claims " + std::to_string(header.nla_len) +
           " bytes of " + std::to_string(rest_.size()));
      break;
    }
    const auto payload = rest_.subspan(sizeof(header), header.nla_len - sizeof(header));
    // The last attribute of a message may lack its padding.
    rest_ = rest_.subspan(std::min<std::size_t>(NLA_ALIGN(header.nla_len), rest_.size()));
    if (type != 0) return Attribute{type, payload};
  }
  return std::nullopt;
}

void AttributeReader::Read(const Attribute& attribute, std::uint8_t& out) {
  ReadInteger(attribute, out);
}
void AttributeReader::Read(const Attribute& attribute, std::uint16_t& out) {
  ReadInteger(attribute, out);
}
void AttributeReader::Read(const Attribute& attribute, std::uint32_t& out) {
  ReadInteger(attribute, out);
}
void AttributeReader::Read(const Attribute& attribute, std::uint64_t& out) {
  ReadInteger(attribute, out);
}

void AttributeReader::Read(const Attribute& attribute, MacAddress& out) {
  if (CheckSize(attribute, out.size())) {
    std::memcpy(out.data(), attribute.payload.data(), out.size());
  }
}

void AttributeReader::Read(const Attribute& attribute, std::string& out) {
  if (!Ok()) return;
  const auto end = std::ranges::find(attribute.payload, std::byte{0});
  out.assign(reinterpret_cast<const char*>(attribute.payload.data()),
             static_cast<std::size_t>(end - attribute.payload.begin()));
}

void AttributeReader::Fail(std::string message) {
  if (Ok()) error_ = std::move(message);
}

// memcpy, not a cast: attributes are aligned to four bytes only, and a u64 among them too.
template <typename T>
void AttributeReader::ReadInteger(const Attribute& attribute, T& out) {
  if (CheckSize(attribute, sizeof(T))) std::memcpy(&out, attribute.payload.data(), sizeof(T));
}

bool AttributeReader::CheckSize(const Attribute& attribute, std::size_t size) {
  if (Ok() && attribute.payload.size() != size) {
    Fail("attribute " + std::to_string(attribute.type) + " has " +
         std::to_string(attribute.payload.size()) + " bytes, not " + std::to_string(size));
  }
  return Ok();
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
