#include "addon/row_packer.h"

#include <algorithm>
#include <utility>

#include "addon/utf16.h"
#include "core/name_text.h"

namespace vdpa::addon {

namespace {

std::string MacText(const MacAddress& mac) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : mac) {
    if (!text.empty()) text.push_back(':');
    text.push_back(kDigits[byte >> 4U]);
    text.push_back(kDigits[byte & 0xfU]);
  }
  return text;
}

std::size_t SizeOf(const std::variant<std::string, std::u16string>& text) {
  return std::visit([](const auto& characters) { return characters.size(); }, text);
}

}  // namespace

void RowPacker::BeginList(std::size_t rows) {
  // Most rows are no wider: growing again and again would copy all that is there.
  constexpr std::size_t kUsualColumns = 8;
  cells_.reserve(cells_.size() + 1 + rows * kUsualColumns);
  cells_.push_back(static_cast<double>(rows));
  Forget();
}

void RowPacker::BeginRow() {
  column_ = 0;
  // Only here: a row's texts are all in one.
  if (packed_.texts.empty() || SizeOf(packed_.texts.back()) >= kTextUnits) {
    std::string text;
    text.reserve(kTextUnits + kTextUnits / 4);
    packed_.texts.emplace_back(std::move(text));
  }
}

void RowPacker::Forget() {
  for (Column& column : before_) {
    column.text.reset();
    column.word.reset();
  }
}

std::size_t RowPacker::Append(std::string_view name) {
  auto& last = packed_.texts.back();
  const bool own_text = IsItsOwnText(name);
  if (auto* narrow = std::get_if<std::string>(&last)) {
    if (own_text) {
      narrow->append(name);
      return name.size();
    }
    last = std::u16string(narrow->begin(), narrow->end());
  }
  auto& wide = std::get<std::u16string>(last);
  const std::size_t before = wide.size();
  AppendUtf16(own_text ? std::string(name) : TextOfName(name), wide);
  return wide.size() - before;
}

void RowPacker::Put(const std::string& text) {
  Column& column = before_[column_++];
  if (column.text == text) {
    cells_.push_back(kSame);
    return;
  }
  column.text = text;
  cells_.push_back(static_cast<double>(Append(text)));
}

void RowPacker::Put(std::uint64_t word) {
  constexpr unsigned kHalf = 32;
  Column& column = before_[column_++];
  if (column.word == word) {
    cells_.push_back(kSame);
    return;
  }
  column.word = word;
  cells_.push_back(static_cast<double>(word >> kHalf));
  cells_.push_back(static_cast<double>(static_cast<std::uint32_t>(word)));
}

void RowPacker::Put(const MacAddress& mac) { Put(MacText(mac)); }

void RowPacker::PutNumber(double number) {
  ++column_;
  cells_.push_back(number);
}

PackedRows RowPacker::Take() && { return std::move(packed_); }

}  // namespace vdpa::addon
