#!/bin/bash
# Runs inside the lab: makes vDPA devices of several kinds, then shows what vdpa-host sees.
set -euo pipefail

show() {
  printf '\n$ %s\n' "$*"
  "$@"
}
vdpa-host() { node dist/cli/main.js "$@"; }

# Nobody binds new devices but us: both drivers would take them.
echo 0 > /sys/bus/vdpa/drivers_autoprobe
for pf in 0000:11:00.0 0000:13:00.0; do
  echo 8 > "/sys/bus/pci/devices/$pf/sriov_numvfs"
done
for vf in 1 2 3 4; do
  vdpa dev add name "vdpa$vf" mgmtdev "pci/0000:11:00.$vf" mac "02:00:00:00:00:0$vf" max_vqp 4
done
vdpa dev add name vdpa5 mgmtdev pci/0000:13:00.1
vdpa dev add name sim0 mgmtdev vdpasim_net
vdpa dev add name blk0 mgmtdev vdpasim_blk
for name in vdpa1 vdpa2 vdpa5 sim0 blk0; do
  echo "$name" > /sys/bus/vdpa/drivers/vhost_vdpa/bind
done
echo vdpa3 > /sys/bus/vdpa/drivers/virtio_vdpa/bind # the host's own NIC; vdpa4 stays unbound

printf '\nA real kernel: '
uname -sr
show vdpa-host tree
show vdpa-host list
show vdpa-host show vdpa1
show vdpa-host show 0000:11:00.1 --json
show vdpa-host doctor || true
