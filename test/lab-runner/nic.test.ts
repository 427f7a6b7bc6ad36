// SPDX-License-Identifier: Apache-2.0
// The software NIC behaves as a real one does towards sysfs, netlink and hotplug.
import { describe, expect, test } from 'vitest';
import { runInLab } from '../../lab/run.mjs';
import { long } from '../support/test-length.js';

type Nic = Record<string, string | number>;

/** Functions for the scripts: the PF of the default NIC, and waiting without a fixed time. */
const PRELUDE = `
P=/sys/bus/pci/devices; PF=$P/0000:11:00.0; PARAM=/sys/module/labnic/parameters
until_true() { for _ in $(seq 200); do eval "$1" && return; sleep 0.05; done; echo "never: $1"; exit 99; }
fails() { if "$@" 2>&1; then echo "succeeded: $*"; fi; }
`;

/** Run a script; the kernel must not have complained, whatever the script found. */
async function lab(script: string, nic: Nic = {}): Promise<string> {
  const result = await runInLab(PRELUDE + script, { nic, timeoutMs: 100_000 });
  expect(result.error).toBeNull();
  const complaint = /\b(?:WARNING|BUG|Oops|INFO: task|Call Trace|leak)\b.*/.exec(result.kernelLog);
  expect(complaint?.[0]).toBeUndefined();
  expect(result.stderr).toBe('');
  expect(result.status).toBe(0);
  return result.stdout;
}

describe('PCI', () => {
  test('the PFs and their ids', async () => {
    const out = await lab(`
      ls $P; cd $PF
      cat vendor device class revision subsystem_vendor subsystem_device
      cat sriov_totalvfs sriov_numvfs sriov_offset sriov_stride sriov_vf_device
      basename $(readlink driver); ls net`);
    expect(out.split('\n').slice(0, 4)).toEqual([
      '0000:10:00.0',
      '0000:11:00.0',
      '0000:12:00.0',
      '0000:13:00.0',
    ]);
    expect(out.split('\n').slice(4)).toEqual([
      ...['0x15b3', '0x101d', '0x020000', '0x01', '0x15b3', '0x0016'],
      ...['16', '0', '1', '1', '101e', 'labnic', 'enp17s0np0', ''],
    ]);
  });

  test('sriov_numvfs 0 to 8 to 0, with its links and errors', async () => {
    const out = await lab(`
      echo 8 > $PF/sriov_numvfs; cat $PF/sriov_numvfs
      readlink $PF/virtfn0 $PF/virtfn7; ls -d $PF/virtfn* | wc -l
      basename $(readlink -f $P/0000:11:01.0/physfn); basename $(readlink $P/0000:11:01.0/driver)
      cat $P/0000:11:01.0/device
      fails bash -c "echo 4 > $PF/sriov_numvfs"
      echo 0 > $PF/sriov_numvfs; cat $PF/sriov_numvfs; ls -d $PF/virtfn* 2>/dev/null | wc -l
      fails bash -c "echo 17 > $PF/sriov_numvfs"
      ls $P | wc -l`);
    expect(out).toContain(
      '8\n../0000:11:00.1\n../0000:11:01.0\n8\n0000:11:00.0\nlabnic_vf\n0x101e\n',
    );
    expect(out).toContain('Device or resource busy\n0\n0\n');
    expect(out).toMatch(/Numerical result out of range\n4\n$/);
  });

  test('domain, buses, functions and sizes are as asked for', async () => {
    const nic = { npf: 4, functions: 2, totalvfs: 127, firstbus: 32, domain: '0,1' };
    const out = await lab(
      `ls $P; for pf in 0 1; do echo 127 > $P/0001:23:00.$pf/sriov_numvfs; done
       readlink $P/0001:23:00.0/virtfn0 $P/0001:23:00.0/virtfn126 $P/0001:23:00.1/virtfn0 $P/0001:23:00.1/virtfn126
       cat /sys/class/net/enP1p35s0np1/phys_port_name
       grep -ls pf1vf126 /sys/class/net/*/phys_port_name 2>/dev/null | wc -l`,
      nic,
    );
    expect(out).toBe(
      `${['0000:20:00.0', '0000:21:00.0', '0000:21:00.1'].join('\n')}\n` +
        `${['0001:22:00.0', '0001:23:00.0', '0001:23:00.1'].join('\n')}\n` +
        '../0001:23:00.2\n../0001:23:10.0\n../0001:23:10.1\n../0001:23:1f.7\np1\n1\n',
    );
  });

  test('255 VFs of 32 PFs can be had, and the module goes with devices present', async () => {
    const out = await lab(
      `ls $P | wc -l; echo 255 > $PF/sriov_numvfs
       ls -d $PF/virtfn* | wc -l; ls $PF/net | wc -l; vdpa mgmtdev show | grep -c ^pci
       for n in 1 100 255; do
         vdpa dev add name v$n mgmtdev pci/$(basename $(readlink $PF/virtfn$((n - 1))))
       done
       vdpa dev show | wc -l
       rmmod labnic; ls $P /sys/bus/vdpa/devices; ls /sys/class/net; vdpa mgmtdev show | grep -c ^pci`.concat(
        '; true',
      ),
      { npf: 32, totalvfs: 255 },
    );
    expect(out).toBe(
      `64\n255\n256\n255\n3\n/sys/bus/pci/devices:\n\n/sys/bus/vdpa/devices:\nlo\n0\n`,
    );
  });
});

describe('representors', () => {
  test('there is one for every VF, and uplink and representors share a switch', async () => {
    const out = await lab(`
      for pf in 11 13; do echo 3 > $P/0000:$pf:00.0/sriov_numvfs; done
      for dev in /sys/class/net/en*; do
        echo $(basename $dev) $(cat $dev/phys_port_name $dev/phys_switch_id $dev/address) \
          $(basename $(readlink $dev/device))
      done`);
    const row = (name: string, port: string, bus: string, mac: string) =>
      `${name} ${port} 0c42a100${bus}000000 ${mac} 0000:${bus}:00.0`;
    expect(out.trimEnd().split('\n')).toEqual([
      row('enp17s0np0', 'p0', '11', '0c:42:a1:00:11:00'),
      ...[0, 1, 2].map((vf) =>
        row(`enp17s0pf0vf${vf}`, `pf0vf${vf}`, '11', `0e:42:a1:00:11:0${vf}`),
      ),
      row('enp19s0np0', 'p0', '13', '0c:42:a1:00:13:00'),
      ...[0, 1, 2].map((vf) =>
        row(`enp19s0pf0vf${vf}`, `pf0vf${vf}`, '13', `0e:42:a1:00:13:0${vf}`),
      ),
    ]);
  });

  test('they go with the VFs, with the PF, and with its driver', async () => {
    const out = await lab(`
      count() { ls /sys/class/net | grep -c pf0vf; }
      echo 4 > $PF/sriov_numvfs; count; echo 0 > $PF/sriov_numvfs; count
      echo 4 > $PF/sriov_numvfs; count; echo 1 > $PF/remove; count
      echo 1 > /sys/bus/pci/rescan; cat $PF/sriov_numvfs
      echo 4 > $PF/sriov_numvfs; count; echo 0000:11:00.0 > /sys/bus/pci/drivers/labnic/unbind; count
      ls -d $PF/virtfn* 2>/dev/null | wc -l`);
    expect(out).toBe('4\n0\n4\n0\n0\n4\n0\n0\n');
  });

  test('a name that is too long leaves the name to the kernel', async () => {
    const out = await lab(
      `echo 1 > $P/00ff:fd:00.0/sriov_numvfs; cat /sys/class/net/eth0/phys_port_name`,
      { npf: 1, firstbus: 252, domain: 255 },
    );
    expect(out).toBe('pf0vf0\n');
  });
});

describe('vDPA', () => {
  test('a device has the attributes it was made with, or fixed defaults', async () => {
    const out = await lab(`
      echo 3 > $PF/sriov_numvfs
      vdpa dev add name a mgmtdev pci/0000:11:00.1
      vdpa dev add name b mgmtdev pci/0000:11:00.2 mac 00:11:22:33:44:55 mtu 9000 max_vqp 8
      vdpa dev config show; vdpa dev show b
      vdpa dev set name a mac 00:aa:bb:cc:dd:ee; vdpa dev config show a
      ls /dev/vhost-vdpa-*`);
    expect(out.replaceAll(' \n', '\n')).toBe(
      'a: mac 02:42:a1:00:11:00 link up link_announce false max_vq_pairs 1 mtu 1500\n' +
        'b: mac 00:11:22:33:44:55 link up link_announce false max_vq_pairs 8 mtu 9000\n' +
        'b: type network mgmtdev pci/0000:11:00.2 vendor_id 5555 max_vqs 17 max_vq_size 256\n' +
        'a: mac 00:aa:bb:cc:dd:ee link up link_announce false max_vq_pairs 1 mtu 1500\n' +
        '/dev/vhost-vdpa-0\n/dev/vhost-vdpa-1\n',
    );
  });

  test('what a real NIC refuses, it refuses with the same error', async () => {
    const out = await lab(
      `echo 2 > $PF/sriov_numvfs; add="vdpa dev add mgmtdev pci/0000:11:00.1 name"
       fails $add a max_vqp 33
       fails $add a device_features 0x20
       fails $add a device_features 0x8000000300000020
       $add a; fails $add b
       fails vdpa dev vstats show a qidx 0`,
    );
    expect(out.trimEnd().split('\n')).toEqual([
      'kernel answers: Invalid argument',
      'kernel answers: Operation not supported',
      'kernel answers: Invalid argument',
      'kernel answers: No space left on device',
      'Error: vdpa: feature negotiation not complete.',
      'kernel answers: Resource temporarily unavailable',
    ]);
  });

  test('vendor statistics once a driver has negotiated', async () => {
    // The least a driver does: acknowledge, take the features, FEATURES_OK; with the device open.
    const driver = `
      open(my $f, "+<", "/dev/vhost-vdpa-0") or die $!;
      ioctl($f, 0x4001af72, my $one = "\\x03") or die $!;
      ioctl($f, 0x4008af00, my $two = pack("Q", 0x300000020)) or die $!;
      ioctl($f, 0x4001af72, my $three = "\\x0b") or die $!;
      system("vdpa dev vstats show a qidx 1; vdpa dev config show a");`;
    const out = await lab(`
      echo 1 > $PF/sriov_numvfs; vdpa dev add name a mgmtdev pci/0000:11:00.1
      perl -e '${driver}'`);
    expect(out).toContain('received_desc 1001 completed_desc 901');
    expect(out).toContain('negotiated_features MAC VERSION_1 ACCESS_PLATFORM');
  });

  test('faults: a failing, a slow and an unmanaged device', async () => {
    const out = await lab(`
      echo 1 > $PARAM/unmanaged; echo 3 > $PF/sriov_numvfs
      ls /sys/bus/vdpa/devices; vdpa dev show | wc -l; vdpa mgmtdev show | grep -c ^pci
      fails vdpa dev show vdpa0
      add="vdpa dev add mgmtdev pci/0000:11:00.1 name a"
      echo 5 > $PARAM/add_error; fails $add; echo 0 > $PARAM/add_error
      echo 300 > $PARAM/add_delay_ms; echo 300 > $PARAM/del_delay_ms
      ms() { local s=$(date +%s%N); "$@"; echo $(( ($(date +%s%N) - s) / 1000000 >= 300 )); }
      ms $add; ms vdpa dev del a
      echo 0 > $PF/sriov_numvfs; ls /sys/bus/vdpa/devices`);
    expect(out).toBe(
      'vdpa0\n0\n2\nkernel answers: Invalid argument\nkernel answers: Input/output error\n1\n1\n',
    );
  });
});

describe('hotplug', () => {
  test('a PF that is pulled out takes its VFs and devices along, and comes back by a rescan', async () => {
    const out = await lab(`
      echo 4 > $PF/sriov_numvfs; vdpa dev add name a mgmtdev pci/0000:11:00.1
      echo 0 > $PARAM/pull
      until_true '! test -e $PF'
      ls $P; vdpa dev show | wc -l; ls /sys/class/net
      echo 1 > /sys/bus/pci/rescan; test -e $PF; echo $?
      echo 0 > $PARAM/put_back; test -e $PF; echo $?
      echo 1 > /sys/bus/pci/rescan; cat $PF/sriov_numvfs
      echo 2 > $PF/sriov_numvfs; vdpa dev add name a mgmtdev pci/0000:11:00.2; vdpa dev show | wc -l`);
    expect(out).toBe('0000:10:00.0\n0000:12:00.0\n0000:13:00.0\n0\nenp19s0np0\nlo\n1\n1\n0\n1\n');
  });

  test('pulling waits for who has the device open, and does not make the writer wait', async () => {
    const out = await lab(`
      echo 1 > $PF/sriov_numvfs; vdpa dev add name a mgmtdev pci/0000:11:00.1
      exec 9<> /dev/vhost-vdpa-0
      echo 0 > $PARAM/pull
      until_true '! test -e /dev/vhost-vdpa-0'
      cat $PARAM/max_vqs; od -An -tx1 -N4 $PF/config
      exec 9>&-
      until_true '! test -e $PF'`);
    expect(out).toBe('64\n ff ff ff ff\n');
  });

  test('there is no PF of a number that is not there', async () => {
    const out = await lab(
      `for n in -1 2 x; do fails bash -c "echo $n > $PARAM/pull" | grep -o 'No such device\\|Invalid argument'; done`,
    );
    expect(out).toBe('No such device\nNo such device\nInvalid argument\n');
  });
});

describe('the modules', () => {
  test('the NIC loads and unloads again and again', async () => {
    const out = await lab(
      `for i in $(seq ${long ? 50 : 2}); do
         echo 16 > $PF/sriov_numvfs; vdpa dev add name a$i mgmtdev pci/0000:11:00.1
         rmmod labnic && modprobe labnic || exit 1
       done
       ls $P | wc -l; cat /proc/modules | grep -c ^labnic`,
    );
    expect(out).toBe('4\n1\n');
  });

  test('without vDPA modules there is no family; it goes and comes back with another id', async () => {
    const family = "genl ctrl list | awk '/Name: vdpa/{getline; print $2; exit}'";
    const none = await runInLab(`${family}; ls /sys/bus/vdpa 2>&1`, { vdpa: false });
    expect(none.stdout).toMatch(/^ls: cannot access/);
    const out = await lab(
      `first=$(${family})
       rmmod labnic vdpa_sim_net vdpa_sim_blk vdpa_sim vhost_vdpa virtio_vdpa vdpa
       echo "gone: $(${family})"
       modprobe -a vdpa_sim_net; second=$(${family})
       [ -n "$first" ] && [ -n "$second" ] && [ "$first" != "$second" ] && echo differs`,
    );
    expect(out).toBe('gone: \ndiffers\n');
  });

  test('autoprobe can be off from the start', async () => {
    const script =
      'vdpa dev add name s mgmtdev vdpasim_net; readlink /sys/bus/vdpa/devices/s/driver; true';
    const off = await runInLab(script, { autoprobe: false });
    expect(off).toMatchObject({ status: 0, stdout: '' });
    const on = await runInLab(script);
    expect(on.stdout).toMatch(/vhost_vdpa\n$/);
  });

  test('VDUSE can be had', async () => {
    const out = await lab('modprobe vduse; ls /dev/vduse; vdpa mgmtdev show | grep -c ^vduse');
    expect(out).toBe(
      '/dev/vduse/control\n/dev/vduse\n1\n'.replace(
        '/dev/vduse/control\n/dev/vduse\n',
        'control\n',
      ),
    );
  });
});
