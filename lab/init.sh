#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# PID 1 of the lab. The kernel command line names the run directory (labrun=), which holds
# guest.sh (what depends on the machine), plan.sh (calls of the functions below, written by the
# runner), command.sh (what to run), the helper `supervise`, and receives `result`. Messages go to
# the kernel log.
#
# Everything here is busybox, which is static: a dynamic program costs ten times as much to start
# in User-Mode Linux.

b=/bin/busybox
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

$b mount -t proc proc /proc
exec >/dev/kmsg 2>&1 </dev/null
fail() {
  echo "lab: $*"
  $b poweroff -f
}

read -r line </proc/cmdline
for word in $line; do
  case $word in labrun=*) run=${word#labrun=} ;; esac
done
# shellcheck disable=SC1091
. "$run/guest.sh" || fail "no $run/guest.sh"

# --- mounts -------------------------------------------------------------------------------------
$b mount -t sysfs sysfs /sys
$b mount -t debugfs debugfs /sys/kernel/debug
$b mount -t cgroup2 cgroup2 /sys/fs/cgroup
$b mkdir -p /dev/pts /dev/shm /dev/mqueue
$b mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
$b mount -t tmpfs -o mode=1777 tmpfs /dev/shm
$b mount -t mqueue mqueue /dev/mqueue
$b ln -sf /proc/self/fd /dev/fd
$b ln -sf /proc/self/fd/0 /dev/stdin
$b ln -sf /proc/self/fd/1 /dev/stdout
$b ln -sf /proc/self/fd/2 /dev/stderr
$b mount -t tmpfs -o mode=755 tmpfs /run
$b mkdir -p /run/host /run/lab /run/modroot /run/bin /run/home /run/lock
# Only the directories that the plan names are bound from here, and then it goes.
mount_host || fail 'cannot mount the host'
$b mount -o bind "/run/host$run" /run/lab || fail "no run directory $run"
$b mount -t tmpfs -o mode=1777 tmpfs /tmp
$b mount -t tmpfs -o mode=1777 tmpfs /var/tmp

# writable DIR / visible DIR: DIR of the host at its own path.
writable() {
  $b mkdir -p "$1" 2>/dev/null
  $b mount -o bind "/run/host$1" "$1" || fail "cannot mount $1"
}
visible() {
  writable "$1"
  $b mount -o remount,bind,ro "$1"
}

# modules DIR: where modprobe finds its modules. The host may have no /lib/modules to mount on, so
# modprobe gets a directory of its own, by a wrapper that also serves the kernel's own requests.
modules() {
  $b mount -o bind "/run/host$1" /run/modroot || fail "no modules in $1"
  for tool in modprobe modinfo; do
    case $tool in modprobe) flag=-d ;; *) flag=-b ;; esac
    printf '#!/bin/sh\nexec /sbin/%s %s /run/modroot "$@"\n' "$tool" "$flag" >"/run/bin/$tool"
    $b chmod 755 "/run/bin/$tool"
  done
  echo /run/bin/modprobe >/proc/sys/kernel/modprobe
}
load() { /sbin/modprobe -d /run/modroot "$@" || fail "cannot load $*"; }
autoprobe() { echo "$1" >/sys/bus/vdpa/drivers_autoprobe; }

# shellcheck disable=SC1091
. /run/lab/plan.sh || fail 'no plan'
$b umount -l /run/host
$b ip link set lo up

# --- the command --------------------------------------------------------------------------------
# supervise is copied by the runner, so that a rebuild of the lab cannot change it under our feet.
# shellcheck disable=SC2154
/run/lab/supervise "$stdout" "$stderr" /run/lab/result /bin/sh /run/lab/command.sh
end $?
$b sync
$b poweroff -f
