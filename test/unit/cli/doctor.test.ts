import { describe, expect, it } from 'vitest';
import type { Finding, Severity } from '../../../src/index.js';
import { fakeHost, sampleFindings } from './support/fake-host.js';
import { runCli } from './support/run-cli.js';

function finding(severity: Severity): Finding {
  return { code: 'devices', severity, message: 'found', cure: severity === 'ok' ? null : 'do it' };
}

describe('doctor', () => {
  it('prints each finding with mark, message and cure', async () => {
    const { stdout } = await runCli(['doctor'], { host: fakeHost({ findings: sampleFindings }) });
    expect(stdout).toBe(`✓ ok       kernel-version     Linux 6.12.9
✗ error    vhost-vdpa-module  the driver vhost_vdpa is not there: no device can reach a guest
                              cure: modprobe vhost_vdpa
! warning  privilege          without CAP_NET_ADMIN: listing works; statistics, create, delete and set are refused
                              cure: run as root of the host

3 checks: 1 error, 1 warning
`);
  });

  it.each([
    [0, ['ok']],
    [0, ['ok', 'warning', 'warning']],
    [1, ['ok', 'error']],
    [1, ['warning', 'error', 'error']],
  ] as const)('ends with %i for %j, in both forms', async (code, severities) => {
    const host = fakeHost({ findings: severities.map(finding) });
    const text = await runCli(['doctor'], { host });
    const json = await runCli(['doctor', '--json'], { host });
    expect([text.code, json.code]).toEqual([code, code]);
    expect(JSON.parse(json.stdout)).toMatchObject({ kind: 'doctor', healthy: code === 0 });
    expect(json.stderr).toBe('');
  });

  it('wraps long findings below themselves', async () => {
    const { stdout } = await runCli(['doctor'], {
      isTty: true,
      columns: 80,
      env: { LANG: 'C.UTF-8', NO_COLOR: '1' },
    });
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/statistics,\n {30}create, delete/);
  });
});
