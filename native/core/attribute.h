// Netlink attributes: a bounds-checked reader, tables that fill records, and a writer.
#pragma once

#include <linux/netlink.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "records.h"
#include "result.h"

namespace vdpa {

struct Attribute {
  std::uint16_t type = 0;  ///< without the NESTED and byte order bits
  std::span<const std::byte> payload;
};

/// Walks a run of attributes. The first thing wrong is kept and ends the walk, so that callers read
/// without checks and ask once at the end.
class AttributeReader {
 public:
  explicit AttributeReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  // What a dump of thousands of records does for each of their attributes is inline.

  /// The next attribute but padding (type 0); nothing at the end or after an error.
  std::optional<Attribute> Next() {
    while (Ok() && !rest_.empty()) {
      nlattr header{};
      if (rest_.size() < sizeof(header)) {
        FailHeader(header);
        break;
      }
      std::memcpy(&header, rest_.data(), sizeof(header));
      if (header.nla_len < sizeof(header) || header.nla_len > rest_.size()) {
        FailHeader(header);
        break;
      }
      const auto payload = rest_.subspan(sizeof(header), header.nla_len - sizeof(header));
      // The last attribute of a message may lack its padding.
      rest_ = rest_.subspan(std::min<std::size_t>(NLA_ALIGN(header.nla_len), rest_.size()));
      const auto type = static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK);
      if (type != 0) return Attribute{type, payload};
    }
    return std::nullopt;
  }

  // Each checks the size and leaves `out` alone when it is wrong.
  // memcpy, not a cast: attributes are aligned to four bytes only, and a u64 among them too.
  template <typename T>
    requires std::is_integral_v<T> || std::is_same_v<T, MacAddress>
  void Read(const Attribute& attribute, T& out) {
    if (!Ok()) return;
    if (attribute.payload.size() == sizeof(out)) {
      std::memcpy(&out, attribute.payload.data(), sizeof(out));
    } else {
      FailSize(attribute, sizeof(out));
    }
  }
  /// Text up to the first NUL, or to the end: the kernel's NLA_STRING does not promise a NUL.
  void Read(const Attribute& attribute, std::string& out) {
    if (!Ok()) return;
    const auto* const begin = reinterpret_cast<const char*>(attribute.payload.data());
    out.assign(begin, ::strnlen(begin, attribute.payload.size()));
  }

  template <typename T>
  void Read(const Attribute& attribute, std::optional<T>& out) {
    T value{};
    Read(attribute, value);
    if (Ok()) out = std::move(value);
  }

  void Fail(std::string message);
  bool Ok() const { return error_.empty(); }
  const std::string& Problem() const { return error_; }  ///< empty when all is well

 private:
  void FailHeader(const nlattr& header);
  void FailSize(const Attribute& attribute, std::size_t size);

  std::span<const std::byte> rest_;
  std::string error_;
};

enum class Presence : std::uint8_t { kOptional, kRequired };

/// One row of a record's table: the attribute, and the member whose type is the wire type.
template <typename Record>
struct Field {
  std::uint16_t attribute;
  Presence presence;
  void (*read)(AttributeReader&, const Attribute&, Record&);
};

template <typename Record, auto kMember>
constexpr Field<Record> Row(std::uint16_t attribute, Presence presence = Presence::kOptional) {
  return {attribute, presence, [](AttributeReader& reader, const Attribute& from, Record& into) {
            reader.Read(from, into.*kMember);
          }};
}

/// Fills a record from a run of attributes. An attribute without a row (a newer kernel's, or one
/// that needs a decision) goes to `other`.
template <typename Record, typename Other>
Result<Record> ParseRecord(std::string_view op, std::span<const Field<Record>> table,
                           std::span<const std::byte> attributes, const Other& other) {
  Record record;
  AttributeReader reader(attributes);
  std::uint64_t seen = 0;  // bit i = row i; no table has more than 64
  std::size_t next = 0;    // the kernel writes attributes in the order of our tables, as a rule
  while (auto attribute = reader.Next()) {
    std::size_t row = next < table.size() && table[next].attribute == attribute->type ? next : 0;
    while (row < table.size() && table[row].attribute != attribute->type) ++row;
    if (row == table.size()) {
      other(reader, *attribute, record);
    } else {
      table[row].read(reader, *attribute, record);
      seen |= std::uint64_t{1} << row;
      next = row + 1;
    }
  }
  for (std::size_t row = 0; row < table.size(); ++row) {
    if (table[row].presence == Presence::kRequired && (seen >> row & 1U) == 0) {
      reader.Fail("attribute " + std::to_string(table[row].attribute) + " is missing");
    }
  }
  if (!reader.Ok()) return Malformed(std::string(op), reader.Problem());
  return record;
}

template <typename Record>
Result<Record> ParseRecord(std::string_view op, std::span<const Field<Record>> table,
                           std::span<const std::byte> attributes) {
  return ParseRecord(op, table, attributes, [](AttributeReader&, const Attribute&, Record&) {});
}

/// Appends attributes, each padded to four bytes.
class AttributeWriter {
 public:
  AttributeWriter& Add(std::uint16_t type, std::uint16_t value);
  AttributeWriter& Add(std::uint16_t type, std::uint32_t value);
  AttributeWriter& Add(std::uint16_t type, std::uint64_t value);
  AttributeWriter& Add(std::uint16_t type, const MacAddress& value);
  /// Always with the NUL: the kernel compares names with strcmp, and does not check for one.
  AttributeWriter& Add(std::uint16_t type, std::string_view value);
  /// The payload as it stands.
  AttributeWriter& AddBytes(std::uint16_t type, std::span<const std::byte> payload);

  const std::vector<std::byte>& Bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace vdpa
