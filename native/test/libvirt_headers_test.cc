// What native/libvirt/library.h declares is what libvirt's own headers do.
#include <doctest/doctest.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <type_traits>

#include "libvirt/library.h"

namespace vdpa::libvirt {
namespace {

// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): a name as a member and as a function
#define SAME_FUNCTION(name) \
  static_assert(std::is_same_v<decltype(Library::name), decltype(&::name)>)

SAME_FUNCTION(virEventRegisterDefaultImpl);
SAME_FUNCTION(virEventRunDefaultImpl);
SAME_FUNCTION(virSetErrorFunc);
SAME_FUNCTION(virGetLastErrorCode);
SAME_FUNCTION(virGetLastErrorDomain);
SAME_FUNCTION(virGetLastErrorMessage);
SAME_FUNCTION(virConnectOpen);
SAME_FUNCTION(virConnectIsAlive);
SAME_FUNCTION(virConnectRegisterCloseCallback);
SAME_FUNCTION(virConnectSetKeepAlive);
SAME_FUNCTION(virConnectDomainEventRegisterAny);
SAME_FUNCTION(virConnectGetLibVersion);
SAME_FUNCTION(virConnectGetVersion);
SAME_FUNCTION(virConnectGetType);
SAME_FUNCTION(virConnectListAllDomains);
SAME_FUNCTION(virDomainLookupByUUIDString);
SAME_FUNCTION(virDomainLookupByName);
SAME_FUNCTION(virDomainFree);
SAME_FUNCTION(virDomainGetUUIDString);
SAME_FUNCTION(virDomainGetName);
SAME_FUNCTION(virDomainGetState);
SAME_FUNCTION(virDomainIsPersistent);
SAME_FUNCTION(virDomainGetXMLDesc);
SAME_FUNCTION(virDomainAttachDeviceFlags);
SAME_FUNCTION(virDomainDetachDeviceAlias);

static_assert(std::is_same_v<LifecycleCallback, virConnectDomainEventCallback>);
static_assert(std::is_same_v<DeviceCallback, virConnectDomainEventDeviceAddedCallback>);
static_assert(std::is_same_v<DeviceCallback, virConnectDomainEventDeviceRemovedCallback>);
static_assert(std::is_same_v<DeviceCallback, virConnectDomainEventDeviceRemovalFailedCallback>);

TEST_CASE("numbers of libvirt are those of its headers") {
  CHECK(kEventLifecycle == VIR_DOMAIN_EVENT_ID_LIFECYCLE);
  CHECK(kEventDeviceRemoved == VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED);
  CHECK(kEventDeviceAdded == VIR_DOMAIN_EVENT_ID_DEVICE_ADDED);
  CHECK(kEventRemovalFailed == VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED);
  CHECK(kLifecycleStopped == VIR_DOMAIN_EVENT_STOPPED);
  CHECK(kXmlInactive == VIR_DOMAIN_XML_INACTIVE);
  CHECK(kAffectLive == VIR_DOMAIN_AFFECT_LIVE);
  CHECK(kAffectConfig == VIR_DOMAIN_AFFECT_CONFIG);
  CHECK(kUuidTextBytes == VIR_UUID_STRING_BUFLEN);
}

}  // namespace
}  // namespace vdpa::libvirt
