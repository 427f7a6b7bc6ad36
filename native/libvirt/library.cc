#include "libvirt/library.h"

#include <dlfcn.h>

namespace vdpa::libvirt {
namespace {

/// Looks the functions up one after the other, until one is not there.
class Symbols {
 public:
  Symbols(void* handle, std::string& why) : handle_(handle), why_(why) {}

  template <typename Function>
  Symbols& Find(const char* name, Function& function) {
    if (!complete_) return *this;
    void* const symbol = dlsym(handle_, name);
    complete_ = symbol != nullptr;
    if (!complete_) why_ = std::string("it has no ") + name;
    function = reinterpret_cast<Function>(symbol);
    return *this;
  }

  bool Complete() const { return complete_; }

 private:
  void* handle_;
  std::string& why_;
  bool complete_ = true;
};

}  // namespace

std::unique_ptr<const Library> LoadLibrary(const char* name, std::string& why) {
  void* const handle = dlopen(name, RTLD_NOW);
  if (handle == nullptr) {
    const char* const said = dlerror();
    why = said == nullptr ? "it cannot be loaded" : said;
    return nullptr;
  }
  auto library = std::make_unique<Library>();
  const bool complete =
      Symbols(handle, why)
          .Find("virEventRegisterDefaultImpl", library->virEventRegisterDefaultImpl)
          .Find("virEventRunDefaultImpl", library->virEventRunDefaultImpl)
          .Find("virSetErrorFunc", library->virSetErrorFunc)
          .Find("virGetLastErrorCode", library->virGetLastErrorCode)
          .Find("virGetLastErrorDomain", library->virGetLastErrorDomain)
          .Find("virGetLastErrorMessage", library->virGetLastErrorMessage)
          .Find("virConnectOpen", library->virConnectOpen)
          .Find("virConnectIsAlive", library->virConnectIsAlive)
          .Find("virConnectRegisterCloseCallback", library->virConnectRegisterCloseCallback)
          .Find("virConnectSetKeepAlive", library->virConnectSetKeepAlive)
          .Find("virConnectDomainEventRegisterAny", library->virConnectDomainEventRegisterAny)
          .Find("virConnectGetLibVersion", library->virConnectGetLibVersion)
          .Find("virConnectGetVersion", library->virConnectGetVersion)
          .Find("virConnectGetType", library->virConnectGetType)
          .Find("virConnectListAllDomains", library->virConnectListAllDomains)
          .Find("virDomainLookupByUUIDString", library->virDomainLookupByUUIDString)
          .Find("virDomainLookupByName", library->virDomainLookupByName)
          .Find("virDomainFree", library->virDomainFree)
          .Find("virDomainGetUUIDString", library->virDomainGetUUIDString)
          .Find("virDomainGetName", library->virDomainGetName)
          .Find("virDomainGetState", library->virDomainGetState)
          .Find("virDomainIsPersistent", library->virDomainIsPersistent)
          .Find("virDomainGetXMLDesc", library->virDomainGetXMLDesc)
          .Find("virDomainAttachDeviceFlags", library->virDomainAttachDeviceFlags)
          .Find("virDomainDetachDeviceAlias", library->virDomainDetachDeviceAlias)
          .Complete();
  if (!complete) return nullptr;
  return library;
}

}  // namespace vdpa::libvirt
