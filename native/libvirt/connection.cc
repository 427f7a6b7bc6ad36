#include "libvirt/connection.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <span>
#include <thread>

namespace vdpa::libvirt {
namespace {

/// A daemon that is silent for as long as this has gone.
constexpr int kKeepAliveSeconds = 5;
constexpr unsigned kKeepAliveCount = 3;

using Text = std::unique_ptr<char, decltype(&std::free)>;

Text Owned(char* text) { return {text, &std::free}; }

bool IsUuid(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::ranges::equal(text, kForm, [](char is, char form) {
    if (form == '-') return is == '-';
    return (is >= '0' && is <= '9') || (is >= 'a' && is <= 'f') || (is >= 'A' && is <= 'F');
  });
}

unsigned PartsOf(std::string_view word) {
  if (word == "1") return kAffectLive;
  if (word == "2") return kAffectConfig;
  return kAffectLive | kAffectConfig;
}

/// The daemon's errors go to those who asked, not to standard error.
extern "C" void IgnoreError(void* /*opaque*/, ::_virError* /*error*/) {}

}  // namespace

bool Connection::Open(const std::string& uri) {
  library_.virSetErrorFunc(nullptr, &IgnoreError);
  const auto refused = [&] {
    answers_.Say({"", "unopened", std::to_string(library_.virGetLastErrorCode()),
                  std::to_string(library_.virGetLastErrorDomain()),
                  library_.virGetLastErrorMessage()});
    return false;
  };
  // Before the connection is made, which is then served by it.
  if (library_.virEventRegisterDefaultImpl() < 0) return refused();
  std::thread([this] {
    for (;;) {
      if (library_.virEventRunDefaultImpl() < 0) {
        answers_.Say({"", "closed", "events"});
        _exit(1);
      }
    }
  }).detach();
  connect_ = library_.virConnectOpen(uri.c_str());
  if (connect_ == nullptr || !Listen()) return refused();
  answers_.Say({"", "open"});
  return true;
}

bool Connection::Listen() {
  const CloseCallback closed = [](Connect*, int reason, void* self) {
    static_cast<Connection*>(self)->answers_.Say({"", "closed", std::to_string(reason)});
    _exit(0);
  };
  const LifecycleCallback lifecycle = [](Connect*, Domain* domain, int event, int, void* self) {
    if (event == kLifecycleStopped) {
      static_cast<Connection*>(self)->Said("stopped", domain, nullptr);
    }
    return 0;
  };
  const DeviceCallback added = [](Connect*, Domain* domain, const char* alias, void* self) {
    static_cast<Connection*>(self)->Said("added", domain, alias);
  };
  const DeviceCallback removed = [](Connect*, Domain* domain, const char* alias, void* self) {
    static_cast<Connection*>(self)->Said("removed", domain, alias);
  };
  const DeviceCallback kept = [](Connect*, Domain* domain, const char* alias, void* self) {
    static_cast<Connection*>(self)->Said("kept", domain, alias);
  };
  const auto registered = [&](int event, EventCallback callback) {
    return library_.virConnectDomainEventRegisterAny(connect_, nullptr, event, callback, this,
                                                     nullptr) >= 0;
  };
  // Drivers that stand on no connection, as libvirt's own of the tests, know neither of the two.
  library_.virConnectRegisterCloseCallback(connect_, closed, this, nullptr);
  library_.virConnectSetKeepAlive(connect_, kKeepAliveSeconds, kKeepAliveCount);
  return registered(kEventLifecycle, std::bit_cast<EventCallback>(lifecycle)) &&
         registered(kEventDeviceAdded, std::bit_cast<EventCallback>(added)) &&
         registered(kEventDeviceRemoved, std::bit_cast<EventCallback>(removed)) &&
         registered(kEventRemovalFailed, std::bit_cast<EventCallback>(kept));
}

void Connection::Said(std::string_view event, Domain* domain, const char* alias) const {
  const std::string uuid = UuidOf(domain);
  const char* const name = library_.virDomainGetName(domain);
  std::vector<std::string_view> fields{"", event, uuid, name == nullptr ? "" : name};
  if (alias != nullptr) fields.emplace_back(alias);
  answers_.Say(fields);
}

void Connection::Answer(std::string_view id, const std::vector<std::string>& words) const {
  const std::string_view verb = words.empty() ? "" : std::string_view(words.front());
  if (verb == "list" && words.size() == 1) return List(id);
  if (verb == "versions" && words.size() == 1) return Versions(id);
  const bool shows = verb == "show" && words.size() == 2;
  const bool attaches = verb == "attach" && words.size() == 4;
  const bool detaches = verb == "detach" && words.size() == 4;
  // Whoever asks for anything else is not of this version.
  if (!shows && !attaches && !detaches) _exit(2);
  const OwnedDomain domain = Find(words[1]);
  if (domain == nullptr) return Refuse(id);
  if (shows) return Show(id, domain.get());
  const unsigned parts = PartsOf(words[2]);
  const char* const what = words[3].c_str();
  const int result = attaches ? library_.virDomainAttachDeviceFlags(domain.get(), what, parts)
                              : library_.virDomainDetachDeviceAlias(domain.get(), what, parts);
  if (result < 0) return Refuse(id);
  answers_.Say({id, "ok"});
}

void Connection::List(std::string_view id) const {
  Domain** domains = nullptr;
  const int count = library_.virConnectListAllDomains(connect_, &domains, 0);
  if (count < 0) return Refuse(id);
  std::vector<std::string> uuids;
  for (Domain* const domain : std::span(domains, static_cast<std::size_t>(count))) {
    uuids.push_back(UuidOf(OwnedDomain(domain, FreeDomain{&library_}).get()));
  }
  std::free(static_cast<void*>(domains));
  std::vector<std::string_view> fields{id, "ok"};
  fields.insert(fields.end(), uuids.begin(), uuids.end());
  answers_.Say(fields);
}

void Connection::Versions(std::string_view id) const {
  unsigned long hypervisor = 0;
  unsigned long daemon = 0;
  const char* const type = library_.virConnectGetType(connect_);
  if (type == nullptr || library_.virConnectGetVersion(connect_, &hypervisor) < 0 ||
      library_.virConnectGetLibVersion(connect_, &daemon) < 0) {
    return Refuse(id);
  }
  answers_.Say({id, "ok", type, std::to_string(hypervisor), std::to_string(daemon)});
}

void Connection::Show(std::string_view id, Domain* domain) const {
  int state = 0;
  if (library_.virDomainGetState(domain, &state, nullptr, 0) < 0) return Refuse(id);
  const int persistent = library_.virDomainIsPersistent(domain);
  if (persistent < 0) return Refuse(id);
  const Text xml = Owned(library_.virDomainGetXMLDesc(domain, 0));
  if (xml == nullptr) return Refuse(id);
  const Text next =
      Owned(persistent == 0 ? nullptr : library_.virDomainGetXMLDesc(domain, kXmlInactive));
  if (persistent != 0 && next == nullptr) return Refuse(id);
  const char* const name = library_.virDomainGetName(domain);
  answers_.Say({id, "ok", UuidOf(domain), name == nullptr ? "" : name, std::to_string(state),
                xml.get(), next == nullptr ? "" : next.get()});
}

/// The error is the calling thread's last one.
void Connection::Refuse(std::string_view id) const {
  const std::string code = std::to_string(library_.virGetLastErrorCode());
  const std::string domain = std::to_string(library_.virGetLastErrorDomain());
  const std::string message = library_.virGetLastErrorMessage();
  // Whether the daemon did it before it went, nobody knows.
  if (library_.virConnectIsAlive(connect_) != 1) return answers_.Say({id, "lost", message});
  answers_.Say({id, "refused", code, domain, message});
}

Connection::OwnedDomain Connection::Find(const std::string& domain) const {
  Domain* const found = IsUuid(domain)
                            ? library_.virDomainLookupByUUIDString(connect_, domain.c_str())
                            : library_.virDomainLookupByName(connect_, domain.c_str());
  return {found, FreeDomain{&library_}};
}

std::string Connection::UuidOf(Domain* domain) const {
  std::array<char, kUuidTextBytes> text{};
  library_.virDomainGetUUIDString(domain, text.data());
  return text.data();
}

}  // namespace vdpa::libvirt
