# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=busybox
# QEMU's part of init; `b` is busybox, `run` the run directory.

# Where the command's output goes: virtio ports.
stdout=/dev/vport0p1
stderr=/dev/vport0p2

# share TAG DIR: a folder of the host, writable, over the read-only one.
share() { $b mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose "$1" "/run/host$2"; }

# The kernel makes the ports when QEMU has told it of them, in its own time.
wait_ports() {
  for _ in $($b seq 600); do
    [ -c "$stdout" ] && [ -c "$stderr" ] && return
    $b usleep 50000
  done
  echo 'lab: QEMU has no ports for the output'
  return 1
}

# The host once more at /run/host: read only, but for the folders that QEMU shares.
mount_host() {
  wait_ports || return
  $b mount -o bind / /run/host || return
  # shellcheck disable=SC1091
  . "$run/shares.sh"
}

# QEMU ends with the machine; the command's status is in the result alone.
end() { :; }
