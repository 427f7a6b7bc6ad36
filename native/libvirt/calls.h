// Requests that wait for libvirt, several at a time.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "libvirt/connection.h"

namespace vdpa::libvirt {

struct Request {
  std::string id;
  std::vector<std::string> words;
};

/// Threads that answer requests for as long as the process lives. Fewer than the daemon serves of
/// one client at a time (its max_client_requests is 5): with all of those taken it would read
/// nothing more, keep-alive messages neither.
class Calls {
 public:
  /// `connection` lives as long as the process.
  explicit Calls(const Connection& connection);

  void Add(Request request);

 private:
  [[noreturn]] void Serve();

  const Connection& connection_;
  std::mutex mutex_;
  std::condition_variable added_;
  std::deque<Request> waiting_;
};

}  // namespace vdpa::libvirt
