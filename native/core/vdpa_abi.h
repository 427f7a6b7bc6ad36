// The numbers of the kernel's `vdpa` generic netlink family. Our own list: the header of the
// system that builds us may be older than the kernel that runs us.
#pragma once

#include <cstdint>

#include "records.h"

namespace vdpa {

inline constexpr auto kFamilyName = "vdpa";
inline constexpr std::uint8_t kFamilyVersion = 1;

enum Command : std::uint8_t {
  kMgmtDevNew = 1,  // only the reply of kMgmtDevGet
  kMgmtDevGet = 2,
  kDevNew = 3,  // also the reply of kDevGet
  kDevDel = 4,
  kDevGet = 5,
  kDevConfigGet = 6,
  kDevVstatsGet = 7,
  kDevAttrSet = 8,
};

enum AttributeId : std::uint8_t {
  kAttrMgmtDevBusName = 1,
  kAttrMgmtDevName = 2,
  kAttrMgmtDevSupportedClasses = 3,
  kAttrDevName = 4,
  kAttrDevId = 5,
  kAttrDevVendorId = 6,
  kAttrDevMaxVqs = 7,
  kAttrDevMaxVqSize = 8,
  kAttrDevMinVqSize = 9,
  kAttrNetMac = 10,
  kAttrNetStatus = 11,
  kAttrNetMaxVqPairs = 12,
  kAttrNetMtu = 13,
  kAttrNegotiatedFeatures = 14,
  kAttrMgmtDevMaxVqs = 15,
  kAttrMgmtDevSupportedFeatures = 16,
  kAttrQueueIndex = 17,
  kAttrVendorAttrName = 18,
  kAttrVendorAttrValue = 19,
  kAttrDevFeatures = 20,
  // Linux 6.1 alone called 21 "supported features"; 6.2 dropped it, 6.9 gave it to the capacity.
  kAttrSupportedFeatures61 = 21,
  kAttrBlkCapacity = 21,
  kAttrBlkSizeMax = 22,
  kAttrBlkBlockSize = 23,
  kAttrBlkSegMax = 24,
  kAttrBlkNumQueues = 25,
  kAttrBlkPhysicalBlockExp = 26,
  kAttrBlkAlignmentOffset = 27,
  kAttrBlkMinIoSize = 28,
  kAttrBlkOptIoSize = 29,
  kAttrBlkMaxDiscardSectors = 30,
  kAttrBlkMaxDiscardSeg = 31,
  kAttrBlkDiscardSectorAlignment = 32,
  kAttrBlkMaxWriteZeroesSectors = 33,
  kAttrBlkMaxWriteZeroesSeg = 34,
  kAttrBlkReadOnly = 35,
  kAttrBlkFlush = 36,
};

// CTRL_ATTR_MAXATTR, which this family sets to one more than its last attribute, of the kernels
// where something became possible.
inline constexpr std::uint32_t kMaxAttributeLinux516 = 14;  // mac and mtu at creation
inline constexpr std::uint32_t kMaxAttributeLinux517 = 17;  // queue pairs at creation
inline constexpr std::uint32_t kMaxAttributeLinux61 = 22;

inline bool HasCommand(const VdpaAbi& abi, Command command) {
  return (abi.commands >> command & 1U) != 0;
}

inline bool HasAttribute(const VdpaAbi& abi, AttributeId attribute) {
  return attribute < abi.max_attribute;
}

}  // namespace vdpa
