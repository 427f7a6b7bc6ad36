#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# PID 1 of the RAM disk: mounts the host's root and hands over to the lab's init in the run
# directory (labrun=).

b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs devtmpfs /dev
exec >/dev/kmsg 2>&1 </dev/null

read -r line </proc/cmdline
for word in $line; do
  case $word in labrun=*) run=${word#labrun=} ;; esac
done
while read -r module; do $b insmod "$module"; done </modules/order
# The host's root does not change under a run, as far as a run can tell: all of it may be cached.
if $b mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro root /root; then
  $b mount -o move /dev /root/dev
  $b umount /proc
  exec $b switch_root /root "$run/init.sh"
fi
echo "lab: no root file system"
$b poweroff -f
