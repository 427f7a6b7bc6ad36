#include "fake_kernel.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "core/vdpa_abi.h"
#include "core/vdpa_codec.h"
#include "kernel_bytes.h"

namespace vdpa::test {
namespace {

constexpr std::uint16_t kFamilyId = 19;

Bytes MgmtReply(const MgmtDevice& device) {
  const Bytes bus = device.bus.empty() ? Bytes() : TextAttr(kAttrMgmtDevBusName, device.bus);
  return GenlReply(kFamilyId, kMgmtDevNew,
                   Join({bus, TextAttr(kAttrMgmtDevName, device.name),
                         IntAttr(kAttrMgmtDevSupportedClasses, device.supported_classes)}),
                   NLM_F_MULTI);
}

Bytes DeviceReply(const VdpaDevice& device) {
  const Bytes bus =
      device.mgmt_bus.empty() ? Bytes() : TextAttr(kAttrMgmtDevBusName, device.mgmt_bus);
  return GenlReply(
      kFamilyId, kDevNew,
      Join({bus, TextAttr(kAttrMgmtDevName, device.mgmt_name), TextAttr(kAttrDevName, device.name),
            IntAttr(kAttrDevId, device.device_id), IntAttr(kAttrDevVendorId, device.vendor_id),
            IntAttr(kAttrDevMaxVqs, device.max_vqs),
            IntAttr(kAttrDevMaxVqSize, device.max_vq_size)}),
      NLM_F_MULTI);
}

class Channel final : public NetlinkChannel {
 public:
  explicit Channel(FakeKernel* kernel) : kernel_(kernel) {}

  Result<void> Send(std::span<const std::byte> request, Deadline) override {
    const nlmsghdr header = HeaderOf(request);
    sequence_ = header.nlmsg_seq;
    row_ = 0;
    dumping_.reset();
    if (header.nlmsg_type == GENL_ID_CTRL) {
      ++kernel_->family_lookups;
      answer_ = kernel_->has_family ? FromHex(kGetFamily) : Ack(ENOENT);
    } else if (!kernel_->has_family) {
      answer_ = Ack(ENOENT);
    } else if ((header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
      dumping_ = static_cast<Command>(CommandOf(request));
      ++kernel_->dumps;
    } else {
      answer_ = Named(request);
    }
    return {};
  }

  Result<Datagram> Receive(std::span<std::byte> buffer, Deadline) override {
    if (silent_) return std::unexpected(Error{Fault::kTimeout, "receive", ETIMEDOUT});
    if (dumping_) {
      if (kernel_->lost_dumps > 0 && row_ > 0) {
        --kernel_->lost_dumps;
        return std::unexpected(Error{Fault::kLost, "receive", ENOBUFS});
      }
      answer_ = NextRows();
    }
    for (std::size_t at = 0; at < answer_.size();
         at += (HeaderOf(std::span(answer_).subspan(at)).nlmsg_len + 3U) / 4 * 4) {
      SetSequence(std::span(answer_).subspan(at), sequence_);
    }
    std::ranges::copy(answer_, buffer.begin());
    return Datagram{buffer.first(answer_.size())};
  }

 private:
  Bytes NextRows() {
    Bytes bytes;
    const auto add = [&](const auto& rows, const auto& reply) {
      // The kernel walks its list anew and skips as many as it gave before.
      for (std::size_t n = 0; n < kernel_->rows_per_receive && row_ < rows.size(); ++n, ++row_) {
        bytes = Join({bytes, reply(rows[row_])});
      }
    };
    if (*dumping_ == kMgmtDevGet) {
      add(kernel_->mgmt_devices, MgmtReply);
    } else {
      if (kernel_->before_device_rows) kernel_->before_device_rows(row_);
      add(kernel_->devices, DeviceReply);
    }
    return bytes.empty() ? Done() : bytes;
  }

  Bytes Named(std::span<const std::byte> request) {
    if (CommandOf(request) == kMgmtDevGet) {
      const auto wanted = ParseMgmtDevice(GenlAttributesOf(request)).value();
      for (const MgmtDevice& device : kernel_->mgmt_devices) {
        if (device.bus == wanted.bus && device.name == wanted.name) return MgmtReply(device);
      }
      return Ack(ENODEV);
    }
    // A request holds the name alone, as one attribute.
    const auto payload = GenlAttributesOf(request).subspan(4);
    std::string name;
    for (const std::byte b : payload) {
      if (b == std::byte{0}) break;
      name.push_back(static_cast<char>(b));
    }
    kernel_->asked.push_back(name);
    silent_ = kernel_->unanswered.contains(name);
    if (kernel_->unmanaged.contains(name)) return Ack(EINVAL);
    const auto refused = kernel_->refused.find(name);
    if (refused != kernel_->refused.end()) return Ack(refused->second);
    for (const VdpaDevice& device : kernel_->devices) {
      if (device.name == name) return DeviceReply(device);
    }
    return Ack(ENODEV);
  }

  FakeKernel* kernel_;
  std::uint32_t sequence_ = 0;
  std::size_t row_ = 0;
  bool silent_ = false;
  std::optional<Command> dumping_;
  Bytes answer_;
};

}  // namespace

ChannelFactory FakeKernel::Factory() {
  return [this]() -> Result<std::unique_ptr<NetlinkChannel>> {
    ++channels;
    return std::make_unique<Channel>(this);
  };
}

}  // namespace vdpa::test
