// The report of a change, one line per event, for the process that asked for it.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "core/result.h"

namespace vdpa::helper {

/// The lines of two ends, as text.
std::string Refusal(std::string_view why, std::string_view name, std::string_view detail = {});
std::string Failure(const Error& error);

/// Writes to a pipe, and does not mind when nobody reads it any more: the change goes on.
///
///   look     WHAT            what is being asked now; changes nothing
///   step     WHAT            what is being changed now
///   changed  WHAT            this stands now
///   undone   WHAT            the same words: it no longer does
///   bound    DRIVER NODE MAJOR MINOR STATE    how the device ended; NODE is empty without one
///   done                     the end, one of these five
///   refused  WHY NAME DETAIL the end: something forbids it
///   failed   FAULT ERRNO OP MESSAGE           the end: an Error, its fault as a number
///   stuck                    the end: time is up; the last look or step is still going on
///   died                     the end: the process that made the change was killed
class Report {
 public:
  explicit Report(int fd) : fd_(fd) {}

  void Line(std::initializer_list<std::string_view> fields) const;
  void Look(std::string_view what) const { Line({"look", what}); }
  void Step(std::string_view what) const { Line({"step", what}); }
  void Done() const { Line({"done"}); }
  void Refused(std::string_view why, std::string_view name, std::string_view detail = {}) const {
    Raw(Refusal(why, name, detail));
  }
  void Failed(const Error& error) const { Raw(Failure(error)); }
  /// Text that is lines already.
  void Raw(std::string_view text) const;

 private:
  int fd_;
};

}  // namespace vdpa::helper
