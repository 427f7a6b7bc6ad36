# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=busybox
# User-Mode Linux's part of init; `b` is busybox.

# Where the command's output goes.
stdout=/dev/tty1
stderr=/dev/tty2

# The host once more, writable, at /run/host. No path ever passes through a mount option, where a
# comma would end it.
mount_host() { $b mount -t hostfs -o / none /run/host; }

# The kernel's process ends with the command's status.
end() { echo "$1" >/proc/exitcode; }
