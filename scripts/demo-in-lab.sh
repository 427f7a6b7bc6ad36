#!/bin/bash
# Runs inside the lab: makes vDPA devices of several kinds, then shows what vdpa-host sees, what it tells
# while a device comes and goes, who has what, and what a guest with two of them goes through.
set -euo pipefail

show() {
  printf '\n$ %s\n' "$*"
  "$@"
}
vdpa-host() { node dist/cli/main.js "$@"; }

# Waits, for half a minute, until watch has printed such a line.
await-line() {
  for _ in {1..600}; do
    grep -qs -- "$1" /tmp/events && return
    sleep 0.05
  done
  echo "watch did not say '$1'" >&2
  exit 1
}

# Nobody binds new devices but us: both drivers would take them.
echo 0 > /sys/bus/vdpa/drivers_autoprobe
for pf in 0000:11:00.0 0000:13:00.0; do
  echo 8 > "/sys/bus/pci/devices/$pf/sriov_numvfs"
done
for vf in 1 2 3 4; do
  vdpa dev add name "vdpa$vf" mgmtdev "pci/0000:11:00.$vf" mac "02:00:00:00:00:0$vf" max_vqp 4
done
vdpa dev add name vdpa5 mgmtdev pci/0000:13:00.1
vdpa dev add name vdpa6 mgmtdev pci/0000:13:00.3
vdpa dev add name sim0 mgmtdev vdpasim_net
vdpa dev add name blk0 mgmtdev vdpasim_blk
for name in vdpa1 vdpa2 vdpa5 vdpa6 sim0 blk0; do
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

printf '\n$ vdpa-host watch &\n'
node dist/cli/main.js watch | tee /tmp/events &
watch=$(jobs -p)
await-line inventory
show vdpa dev add name vdpa9 mgmtdev pci/0000:13:00.2
await-line 'added .*vdpa9'
printf '\n$ echo vdpa9 > /sys/bus/vdpa/drivers/vhost_vdpa/bind\n'
echo vdpa9 > /sys/bus/vdpa/drivers/vhost_vdpa/bind
await-line 'ready .*vdpa9'
show vdpa dev del vdpa9
await-line 'removed .*vdpa9'
printf '\n$ kill -INT %%1\n'
kill -INT "$watch"
wait

# Who has what: an agent owns the records, and every command asks it.
mkdir /tmp/agent
cat > /tmp/agent/config.json <<'JSON'
{
  "deviceSpec": [{ "address": "0000:11:00.0", "physical_network": "physnet1" }],
  "store": "claims"
}
JSON
export VDPA_HOST_CONFIG=/tmp/agent/config.json
show cat "$VDPA_HOST_CONFIG"
printf '\n$ vdpa-host agent &\n'
node dist/cli/main.js agent 2> >(tee /tmp/agent/log >&2) &
agent=$!
until grep -qs 'ready' /tmp/agent/log; do sleep 0.05; done
show vdpa-host pools
show vdpa-host claim --instance vm1 --physnet physnet1 --mac 52:54:00:00:00:01 --id c1
show vdpa-host claims
show vdpa-host claim --instance vm2 --physnet physnet1 --count 2 --id c2 || true
show vdpa-host release --instance vm1
show vdpa-host audit
printf '\n$ kill -TERM %%1\n'
kill -TERM "$agent"
wait "$agent"

# Two compute agents, and a Linux guest that takes its time to start on an emulated processor.
node scripts/demo-agents.mjs
