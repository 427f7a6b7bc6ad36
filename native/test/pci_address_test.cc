#include "core/pci_address.h"

#include <doctest/doctest.h>

#include <string>

#include "core/device_path.h"
#include "core/pci_uevent.h"

using namespace vdpa;

TEST_CASE("PCI addresses are read in the kernel's own spelling only") {
  CHECK(ParsePciAddress("0000:65:00.2") == PciAddress{0, 0x65, 0, 2});
  CHECK(ParsePciAddress("10000:e1:1f.7") == PciAddress{0x10000, 0xe1, 0x1f, 7});
  CHECK(ParsePciAddress("ffffffff:ff:1f.7") == PciAddress{0xffffffff, 0xff, 0x1f, 7});
  for (const char* text :
       {"", "65:00.2", "000:65:00.2", "0000:65:00", "0000:65:00.8", "0000:65:20.0", "0000:6g:00.0",
        "0000:65:0.0", "0000:65:00.22", "00001:65:00.0", "1ffffffff:00:00.0", "0000:AB:00.0",
        " 0000:65:00.2", "0000:65:00.2 ", "0000-65:00.2", "+000:65:00.2", "0000:+5:00.2"}) {
    CAPTURE(text);
    CHECK_FALSE(ParsePciAddress(text));
  }
}

TEST_CASE("a PCI address is written as it is read") {
  for (const char* text : {"0000:00:00.0", "0000:65:1f.7", "abcd:00:02.1", "10000:e1:00.0"}) {
    CHECK(FormatPciAddress(ParsePciAddress(text).value()) == text);
  }
}

TEST_CASE("PCI addresses are ordered by number") {
  CHECK(ParsePciAddress("ffff:00:00.0") < ParsePciAddress("10000:00:00.0"));
  CHECK(ParsePciAddress("0000:09:00.0") < ParsePciAddress("0000:10:00.0"));
}

TEST_CASE("VF addresses follow offset and stride, into the next buses") {
  const PciAddress pf = ParsePciAddress("0000:65:00.0").value();
  CHECK(FormatPciAddress(VfAddress(pf, 2, 1, 0).value()) == "0000:65:00.2");
  CHECK(FormatPciAddress(VfAddress(pf, 1, 1, 7).value()) == "0000:65:01.0");
  CHECK(FormatPciAddress(VfAddress(pf, 1, 1, 254).value()) == "0000:65:1f.7");
  CHECK(FormatPciAddress(VfAddress(pf, 1, 1, 255).value()) == "0000:66:00.0");
  CHECK(FormatPciAddress(VfAddress(pf, 128, 2, 3).value()) == "0000:65:10.6");
  const PciAddress last = ParsePciAddress("0000:ff:1f.0").value();
  CHECK(VfAddress(last, 1, 1, 6));
  CHECK_FALSE(VfAddress(last, 1, 1, 7));
  CHECK_FALSE(VfAddress(pf, 0xffffffff, 0xffffffff, 0xffffffff));
}

TEST_CASE("the uevent of a PCI function tells its identity") {
  const auto bound = ParsePciUevent(
      "DRIVER=labnic_vf\nPCI_CLASS=20000\nPCI_ID=15B3:101E\nPCI_SUBSYS_ID=15B3:0016\n"
      "PCI_SLOT_NAME=0000:11:00.1\nMODALIAS=pci:v000015B3");
  REQUIRE(bound);
  CHECK(*bound == PciUevent{0x20000, 0x15b3, 0x101e, 0x15b3, 0x16, "labnic_vf"});
  CHECK(ParsePciUevent("PCI_ID=1:2\nPCI_CLASS=0") == PciUevent{0, 1, 2, 0, 0, ""});
}

TEST_CASE("a uevent without identity, or with numbers of another form, is refused") {
  for (const char* text :
       {"", "PCI_CLASS=20000", "PCI_ID=15B3:101E", "PCI_CLASS=1000000\nPCI_ID=1:2",
        "PCI_CLASS=2\nPCI_ID=12", "PCI_CLASS=2\nPCI_ID=10000:1", "PCI_CLASS=-2\nPCI_ID=1:1",
        "PCI_CLASS=2\nPCI_ID=1:1\nPCI_SUBSYS_ID=x:y", "PCI_CLASS=\nPCI_ID=1:1"}) {
    CAPTURE(text);
    CHECK_FALSE(ParsePciUevent(text));
  }
}

TEST_CASE("links into sys/devices are taken apart") {
  CHECK(DevicesPath("../../devices/a/b") == "a/b");
  CHECK(DevicesPath("devices/a") == "a");
  for (const char* text :
       {"", "/sys/devices/a", "../../bus/pci", "../devices/", "../devices/a/../b", "../devices//a",
        "../devices/a/", "../devices/./a", "a/devices/b"}) {
    CAPTURE(text);
    CHECK_FALSE(DevicesPath(text));
  }
  CHECK(NearestPciComponent("pci0000:10/0000:10:00.0/0000:11:00.1/virtio3") == "0000:11:00.1");
  CHECK(NearestPciComponent("pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0") ==
        "10000:e1:00.0");
  CHECK(NearestPciComponent("virtual/vduse/control").empty());
  CHECK(NearestSfComponent("pci0000:10/0000:11:00.0/mlx5_core.sf.4") == "mlx5_core.sf.4");
  CHECK(NearestSfComponent("pci0000:10/0000:11:00.1/pds_core.vDPA.4").empty());
  CHECK(IsAuxiliaryName("pds_core.vDPA.4"));
  for (const char* text : {"", "a.b", "a..1", ".b.1", "a.b.", "a.b.x"}) {
    CAPTURE(text);
    CHECK_FALSE(IsAuxiliaryName(text));
  }
}

TEST_CASE("a char device's link tells parent, vDPA device and node at once") {
  const auto vf = ParseVhostPath("../../devices/pci0000:10/0000:11:00.1/vdpa0/vhost-vdpa-3");
  REQUIRE(vf);
  CHECK(vf->parent_path == "pci0000:10/0000:11:00.1");
  CHECK(vf->vdpa_name == "vdpa0");
  CHECK(vf->char_name == "vhost-vdpa-3");
  const auto software = ParseVhostPath("../../devices/sim0/vhost-vdpa-1");
  REQUIRE(software);
  CHECK(software->parent_path.empty());
  CHECK(software->vdpa_name == "sim0");
  for (const char* text : {"../../devices/vhost-vdpa-1", "../../devices/sim0/vhost-vdpa-",
                           "../../devices/sim0/tty0", "../../devices/sim0/vhost-vdpa-1/x",
                           "/devices/sim0/vhost-vdpa-1", "../../devices/sim0/vhost-vdpa-1a"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseVhostPath(text));
  }
}
