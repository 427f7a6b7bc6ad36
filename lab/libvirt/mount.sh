#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# mount.sh FOLDER ROOT, in a mount namespace of its own: lays the packages unpacked at ROOT over the
# system's folders, sets libvirtd up, says so, and holds the namespace until its input ends. What is
# written goes to FOLDER, but for /run.
set -e
folder=$1
root=$2
# Some packages have their libraries in /lib, which is /usr/lib by now.
for dir in bin sbin lib lib64; do
  [ -d "$root/$dir" ] || continue
  mkdir -p "$folder/upper/usr/$dir"
  cp -a "$root/$dir/." "$folder/upper/usr/$dir/"
done
for dir in usr etc var; do
  mkdir -p "$folder/upper/$dir" "$folder/work/$dir" "$folder/none"
  over=$root/$dir
  [ -d "$over" ] || over=$folder/none
  options=lowerdir=$over:/$dir,upperdir=$folder/upper/$dir,workdir=$folder/work/$dir
  mount -t overlay -o "$options" libvirt "/$dir"
done
# What the system's own libvirt and QEMU load does not fit others.
for dir in "$root"/usr/lib/*/libvirt "$root"/usr/lib/*/qemu; do
  mount --bind "$dir" "${dir#"$root"}"
done
mkdir -p /run/libvirt /run/udev /etc/libvirt/qemu /var/lib/libvirt/qemu /var/log/libvirt/qemu \
  /var/cache/libvirt/qemu

# The users that its packages would have made.
grep -q '^kvm:' /etc/group || echo 'kvm:x:64057:' >>/etc/group
grep -q '^libvirt-qemu:' /etc/group || echo 'libvirt-qemu:x:64055:' >>/etc/group
grep -q '^libvirt-qemu:' /etc/passwd ||
  echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin' >>/etc/passwd

# No security driver, cgroups or namespaces: the lab's kernel has none of them.
cat >/etc/libvirt/qemu.conf <<'END'
user = "root"
group = "root"
stdio_handler = "file"
security_driver = "none"
security_default_confined = 0
security_require_confined = 0
namespaces = [ ]
cgroup_controllers = [ ]
remember_owner = 0
dynamic_ownership = 0
END
cat >/etc/libvirt/libvirtd.conf <<'END'
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "root"
host_uuid = "8ae81b0c-7f6e-4d11-a5a8-1f2f30c1a001"
log_outputs = "3:stderr"
END
echo ready
exec cat
