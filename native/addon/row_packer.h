// Records on their way to JavaScript, flat: text in a few strings, all else in one run of doubles.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/records.h"

namespace vdpa::addon {

/// What RowReader (src/row-reader.ts) reads.
struct PackedRows {
  /// ASCII, or UTF-16 as soon as one character is none.
  std::vector<std::variant<std::string, std::u16string>> texts;
  std::vector<double> cells;
};

/// Runs on the lane's thread, so that the environment's thread has nothing to do per value but what
/// JavaScript does itself, whenever it gets to it. Each value is one cell: a number or flag as it
/// is, a text by its length, a 64-bit word by its halves (two cells), what is absent as NaN.
///
/// A text or word that the row before had in the same column is `kSame`: drivers, PFs and feature
/// masks repeat from row to row, and JavaScript need not make them again.
class RowPacker {
 public:
  /// As many rows follow, of one kind.
  void BeginList(std::size_t rows);

  template <typename... Values>
  void Row(const Values&... values) {
    static_assert(sizeof...(Values) <= kMaxColumns);
    BeginRow();
    (Put(values), ...);
  }

  /// Outside of rows.
  void Flag(bool flag) { cells_.push_back(flag ? 1 : 0); }

  PackedRows Take() &&;

 private:
  static constexpr double kSame = -1;
  static constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();
  static constexpr std::size_t kMaxColumns = 24;
  /// A text that JavaScript cuts out of a larger one keeps all of that alive. So many small ones.
  static constexpr std::size_t kTextUnits = 2048;

  struct Column {
    std::optional<std::string> text;
    std::optional<std::uint64_t> word;
  };

  void BeginRow();
  void Forget();
  /// Adds a name's text to the last text; answers its length in UTF-16 units.
  std::size_t Append(std::string_view name);

  // Exact types only: an implicit conversion between these would be a wrong row.
  void Put(const std::string& text);
  void Put(std::uint64_t word);
  void Put(const MacAddress& mac);
  void Put(std::uint8_t number) { PutNumber(number); }
  void Put(std::uint16_t number) { PutNumber(number); }
  void Put(std::uint32_t number) { PutNumber(number); }
  void Put(std::int32_t number) { PutNumber(number); }
  template <typename T>
  void Put(const std::optional<T>& value) {
    if (value) {
      Put(*value);
    } else {
      PutNumber(kAbsent);
    }
  }
  void PutNumber(double number);

  PackedRows packed_;
  std::vector<double>& cells_ = packed_.cells;
  std::array<Column, kMaxColumns> before_;
  std::size_t column_ = 0;
};

}  // namespace vdpa::addon
