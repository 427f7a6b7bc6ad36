// libvirt's C library, as it is on the machine where the program runs: declared here, so that
// nothing of libvirt is needed to build (native/test/libvirt_headers_test.cc holds it to libvirt's
// own headers).
#pragma once

#include <cstddef>
#include <memory>
#include <string>

// Libvirt's own names of the structures behind its handles.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {
struct _virConnect;
struct _virDomain;
struct _virError;
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace vdpa::libvirt {

using Connect = ::_virConnect;
using Domain = ::_virDomain;

extern "C" {
using FreeCallback = void (*)(void* opaque);
using CloseCallback = void (*)(Connect* connection, int reason, void* opaque);
using ErrorCallback = void (*)(void* opaque, ::_virError* error);
/// What all callbacks of events are registered as; each event has its own arguments.
using EventCallback = void (*)(Connect* connection, Domain* domain, void* opaque);
using LifecycleCallback = int (*)(Connect* connection, Domain* domain, int event, int detail,
                                  void* opaque);
using DeviceCallback = void (*)(Connect* connection, Domain* domain, const char* alias,
                                void* opaque);
}

// Of libvirt's stable ABI; names are its own.
inline constexpr int kEventLifecycle = 0;          // VIR_DOMAIN_EVENT_ID_LIFECYCLE
inline constexpr int kEventDeviceRemoved = 15;     // VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED
inline constexpr int kEventDeviceAdded = 19;       // VIR_DOMAIN_EVENT_ID_DEVICE_ADDED
inline constexpr int kEventRemovalFailed = 22;     // VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED
inline constexpr int kLifecycleStopped = 5;        // VIR_DOMAIN_EVENT_STOPPED
inline constexpr unsigned kXmlInactive = 2;        // VIR_DOMAIN_XML_INACTIVE
inline constexpr unsigned kAffectLive = 1;         // VIR_DOMAIN_AFFECT_LIVE
inline constexpr unsigned kAffectConfig = 2;       // VIR_DOMAIN_AFFECT_CONFIG
inline constexpr std::size_t kUuidTextBytes = 37;  // VIR_UUID_STRING_BUFLEN

/// The functions that are used, each by its name in the library; all since 4.5.0 or before.
struct Library {
  // NOLINTBEGIN(readability-identifier-naming)
  int (*virEventRegisterDefaultImpl)();
  int (*virEventRunDefaultImpl)();
  void (*virSetErrorFunc)(void* opaque, ErrorCallback callback);
  int (*virGetLastErrorCode)();
  int (*virGetLastErrorDomain)();
  const char* (*virGetLastErrorMessage)();

  Connect* (*virConnectOpen)(const char* uri);
  int (*virConnectIsAlive)(Connect* connection);
  int (*virConnectRegisterCloseCallback)(Connect* connection, CloseCallback callback, void* opaque,
                                         FreeCallback free_opaque);
  int (*virConnectSetKeepAlive)(Connect* connection, int seconds, unsigned count);
  int (*virConnectDomainEventRegisterAny)(Connect* connection, Domain* domain, int event,
                                          EventCallback callback, void* opaque,
                                          FreeCallback free_opaque);
  int (*virConnectGetLibVersion)(Connect* connection, unsigned long* version);
  int (*virConnectGetVersion)(Connect* connection, unsigned long* version);
  const char* (*virConnectGetType)(Connect* connection);
  int (*virConnectListAllDomains)(Connect* connection, Domain*** domains, unsigned flags);

  Domain* (*virDomainLookupByUUIDString)(Connect* connection, const char* uuid);
  Domain* (*virDomainLookupByName)(Connect* connection, const char* name);
  int (*virDomainFree)(Domain* domain);
  int (*virDomainGetUUIDString)(Domain* domain, char* text);
  const char* (*virDomainGetName)(Domain* domain);
  int (*virDomainGetState)(Domain* domain, int* state, int* reason, unsigned flags);
  int (*virDomainIsPersistent)(Domain* domain);
  char* (*virDomainGetXMLDesc)(Domain* domain, unsigned flags);
  int (*virDomainAttachDeviceFlags)(Domain* domain, const char* xml, unsigned flags);
  int (*virDomainDetachDeviceAlias)(Domain* domain, const char* alias, unsigned flags);
  // NOLINTEND(readability-identifier-naming)
};

/// Loads it, for the life of the process; on failure `why` says what is missing.
std::unique_ptr<const Library> LoadLibrary(const char* name, std::string& why);

}  // namespace vdpa::libvirt
