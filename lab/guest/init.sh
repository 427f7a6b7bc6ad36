#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# PID 1 of a small guest: says on its console which network interfaces it has, each time that changes,
# and runs each line that comes over the console as a command.

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec </dev/ttyS0 >/dev/ttyS0 2>&1
stty -echo
dmesg -n 1
while read -r module; do insmod "$module"; done </modules/order

# One word for each: name, MAC, MTU, PCI address.
nics() {
  for nic in /sys/class/net/*/device; do
    [ -e "$nic" ] || continue
    nic=${nic%/device}
    read -r mac <"$nic/address" && read -r mtu <"$nic/mtu" || continue
    pci=$(readlink -f "$nic/device/..")
    printf ' %s,%s,%s,%s' "${nic##*/}" "$mac" "$mtu" "${pci##*/}"
  done 2>/dev/null
}

{
  said=nothing
  while true; do
    now=$(nics)
    [ "$now" = "$said" ] || echo "nics:$now"
    said=$now
    sleep 0.1
  done
} &
while read -r line; do
  eval "$line"
  echo "done: $?"
done
