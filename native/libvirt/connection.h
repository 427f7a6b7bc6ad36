// The one connection to libvirt's daemon.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libvirt/answers.h"
#include "libvirt/library.h"

namespace vdpa::libvirt {

class Connection {
 public:
  /// Both outlive it.
  Connection(const Library& library, Answers& answers) : library_(library), answers_(answers) {}

  /// Starts the thread of libvirt's events, connects, and says `open` or `unopened`. From then on
  /// events are said as they come, and when the connection ends, the process does.
  bool Open(const std::string& uri);

  /// Answers a request, on any thread. A call may take as long as libvirt's daemon likes.
  ///   `list`: the UUID of each domain
  ///   `versions`: the hypervisor's type, its version, the daemon's: numbers as libvirt makes them
  ///   `show` DOMAIN: UUID, name, state, XML, and the XML of its next start (empty: there is none)
  ///   `attach` DOMAIN PARTS XML, `detach` DOMAIN PARTS ALIAS: of the running guest (PARTS 1), of
  ///   its next start (2) or both (3)
  /// A DOMAIN is a UUID; whatever has not the form of one is a name.
  void Answer(std::string_view id, const std::vector<std::string>& words) const;

 private:
  struct FreeDomain {
    const Library* library;
    void operator()(Domain* domain) const { library->virDomainFree(domain); }
  };
  using OwnedDomain = std::unique_ptr<Domain, FreeDomain>;

  void List(std::string_view id) const;
  void Versions(std::string_view id) const;
  void Show(std::string_view id, Domain* domain) const;
  void Refuse(std::string_view id) const;
  OwnedDomain Find(const std::string& domain) const;
  std::string UuidOf(Domain* domain) const;
  bool Listen();
  void Said(std::string_view event, Domain* domain, const char* alias) const;

  const Library& library_;
  Answers& answers_;
  Connect* connect_ = nullptr;
};

}  // namespace vdpa::libvirt
