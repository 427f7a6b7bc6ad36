import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { captureFormat, manifestName } from '../../src/host/capture-manifest.js';
import { type TarEntry, tarEnd, tarEntry } from '../../src/host/tar.js';
import { unpackCapture } from '../../src/host/unpack-capture.js';
import { VdpaError, VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';

let folder: string;
/** Where captures are unpacked. */
let temporary: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vdpa-host-test-'));
  temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  writeFileSync(join(folder, 'outside'), 'precious');
  vi.stubEnv('TMPDIR', temporary);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const manifest: TarEntry = {
  path: manifestName,
  kind: 'file',
  content: Buffer.from(JSON.stringify({ format: captureFormat, consistent: true })),
};
const file = (path: string, content = 'x'): TarEntry => ({
  path,
  kind: 'file',
  content: Buffer.from(content),
});
const link = (path: string, target: string): TarEntry => ({
  path,
  kind: 'link',
  content: Buffer.from(target),
});

function bytesOf(...entries: readonly TarEntry[]): Buffer {
  return Buffer.concat(entries.flatMap((entry) => [...tarEntry(entry, new Date())]));
}

/** An archive of the manifest and these. */
function tarOf(...entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([bytesOf(manifest, ...entries), tarEnd]);
}

/** A file of one block whose header has been changed, with a checksum that fits. */
function spoilt(change: (header: Buffer) => void, path = 'sys/a'): Buffer {
  const entry = bytesOf(file(path));
  change(entry);
  entry.fill(' ', 148, 156);
  const sum = entry.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  entry.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([bytesOf(manifest), entry, tarEnd]);
}

const ofType = (type: string) => spoilt((header) => header.write(type, 156));

async function open(archive: Buffer): Promise<unknown> {
  const path = join(folder, 'capture.tar.gz');
  writeFileSync(path, archive);
  try {
    await using host = await VdpaHost.open({ root: path });
    return await host.inventory().then(() => 'opened');
  } catch (error) {
    return error;
  } finally {
    expect(readdirSync(temporary).filter((name) => /-capture-/.test(name))).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual(['capture.tar.gz', 'outside', 'tmp']);
    expect(readFileSync(join(folder, 'outside'), 'utf8')).toBe('precious');
  }
}

describe('an archive', () => {
  test('of the manifest alone is a capture of an empty host', async () => {
    expect(await open(gzipSync(tarOf()))).toBe('opened');
  });

  test.each<[string, Buffer | (() => Buffer), RegExp]>([
    ['that is empty', Buffer.alloc(0), /early|end of file/],
    ['that is text', Buffer.from('no capture at all'), /incorrect header check/],
    ['that is not compressed', tarOf(), /incorrect header check/],
    ['of text', gzipSync('no capture at all'), /early/],
    ['of much text', gzipSync('no capture at all'.repeat(1000)), /number in a header|no tar/],
    ['of an archive', gzipSync(gzipSync(Buffer.alloc(9999, 'ab'))), /header|early/],
    ['that was cut short', gzipSync(tarOf(file('sys/a'))).subarray(0, -9), /unexpected end/],
    ['whose tar was cut short', gzipSync(tarOf(file('sys/a')).subarray(0, 1100)), /too early/],
    ['without its end', gzipSync(bytesOf(manifest)), /too early/],
    ['whose checksum does not fit', () => flipped(gzipSync(tarOf()), -6), /incorrect data check/],
    [
      'without the manifest',
      gzipSync(Buffer.concat([bytesOf(file('sys/a')), tarEnd])),
      /no capture/,
    ],
    [
      'with another manifest',
      gzipSync(Buffer.concat([bytesOf(file(manifestName, '[]')), tarEnd])),
      /damaged/,
    ],
    [
      'whose manifest is no JSON',
      gzipSync(Buffer.concat([bytesOf(file(manifestName, '{')), tarEnd])),
      /damaged/,
    ],
    [
      'whose manifest is a link',
      gzipSync(Buffer.concat([bytesOf(file('a'), link(manifestName, 'a')), tarEnd])),
      /no capture/,
    ],
    ['with a damaged header', gzipSync(flipped(tarOf(file('sys/a')), 1100)), /damaged/],
    ['with an absolute path', gzipSync(tarOf(file('/sys/a'))), /no path of a capture/],
    ['with a climbing path', gzipSync(tarOf(file('../outside'))), /no path of a capture/],
    ['with a path that climbs on its way', gzipSync(tarOf(file('sys/../../outside'))), /no path/],
    ['with a name of 256 bytes', gzipSync(tarOf(file(`sys/${'x'.repeat(256)}`))), /no path/],
    ['with a path of 5,000 bytes', gzipSync(tarOf(file('x/'.repeat(2500)))), /no path/],
    ['with an empty path', gzipSync(tarOf(file('./'.concat('.')))), /twice/],
    ['with a file twice', gzipSync(tarOf(file('sys/a'), file('./sys//a'))), /twice/],
    [
      'with a file and a link of one name',
      gzipSync(tarOf(file('sys/a'), link('sys/a', 'b'))),
      /twice/,
    ],
    ['with a file in a file', gzipSync(tarOf(file('sys/a'), file('sys/a/b'))), /damaged/],
    ['with an absolute link', gzipSync(tarOf(link('sys/a', '/etc'))), /leads out/],
    ['with a climbing link', gzipSync(tarOf(link('sys/a', '../../outside'))), /leads out/],
    [
      'with a link that climbs on its way',
      gzipSync(tarOf(link('a', 'b/../../outside'))),
      /leads out/,
    ],
    ['with an empty link', gzipSync(tarOf(link('sys/a', ''))), /leads out/],
    [
      'with a file below a link',
      gzipSync(tarOf(link('a', 'b'), file('a/outside'))),
      /below the link/,
    ],
    [
      'with a file below a later link',
      gzipSync(tarOf(file('a/outside'), link('a', 'b'))),
      /below the link/,
    ],
    [
      'with a link below a link',
      gzipSync(tarOf(link('a', 'b'), link('a/c', 'd'))),
      /below the link/,
    ],
    [
      'with a folder below a link',
      gzipSync(tarOf(link('a', 'b'), { ...file('a/c'), kind: 'directory' })),
      /below the link/,
    ],
    ['with a hard link', gzipSync(ofType('1')), /neither a file/],
    ['with a character device', gzipSync(ofType('3')), /neither a file/],
    ['with a block device', gzipSync(ofType('4')), /neither a file/],
    ['with a FIFO', gzipSync(ofType('6')), /neither a file/],
    ['with a sparse file', gzipSync(ofType('S')), /neither a file/],
    [
      'with a file of 8 GiB',
      gzipSync(spoilt((header) => header.write('77777777777', 124))),
      /more than/,
    ],
    [
      'with a size beyond all octal digits',
      gzipSync(spoilt((header) => header.fill(0xff, 124, 136))),
      /number/,
    ],
    [
      'with a negative size',
      gzipSync(spoilt((header) => header.write('-0000000001', 124))),
      /number/,
    ],
    [
      'with a pax record beyond its end',
      () => gzipSync(withRecords('99 path=sys/b\n')),
      /pax record/,
    ],
    ['with a pax record without length', () => gzipSync(withRecords('path=sys/b\n')), /pax record/],
    ['with a pax path that climbs', () => gzipSync(withRecords('19 path=../outside\n')), /no path/],
    ['with a pax size', () => gzipSync(withRecords('19 size=9999999999\n')), /sparse or huge/],
  ])('%s is refused, and leaves nothing behind', async (_, archive, words) => {
    const error = await open(typeof archive === 'function' ? archive() : archive);
    expect(error).toMatchObject({
      code: 'CAPTURE_INVALID',
      retry: 'never',
      outcome: 'unchanged',
      message: expect.stringMatching(words),
    });
  });

  test('of a later format is refused with its maker, whatever else is in it', async () => {
    const newer = { format: captureFormat + 1, madeBy: 'vdpa-host 9.0.0' };
    const archive = bytesOf(file(manifestName, JSON.stringify(newer)), link('sys/a', '/etc'));
    expect(await open(gzipSync(archive))).toMatchObject({
      code: 'CAPTURE_TOO_NEW',
      retry: 'after-fix',
      message: expect.stringContaining('vdpa-host 9.0.0'),
    });
  });

  test.each([
    ['entries', { entries: 3, bytes: 1e6, fileBytes: 1e6 }],
    ['bytes', { entries: 10, bytes: 4000, fileBytes: 1e6 }],
    ['bytes', { entries: 10, bytes: 1e6, fileBytes: 999 }],
  ])('of more %s than allowed is refused', async (words, limits) => {
    const path = join(folder, 'capture.tar.gz');
    const entries = [1, 2, 3].map((number) => file(`sys/${number}`, 'x'.repeat(1000)));
    writeFileSync(path, gzipSync(tarOf(...entries)));
    await expect(unpackCapture(path, limits)).rejects.toMatchObject({
      code: 'CAPTURE_INVALID',
      message: expect.stringMatching(new RegExp(`more than \\d+ ${words}`)),
    });
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('that can not be unpacked for want of a folder says so', async () => {
    const path = join(folder, 'capture.tar.gz');
    writeFileSync(path, gzipSync(tarOf()));
    vi.stubEnv('TMPDIR', join(folder, 'missing'));
    await expect(VdpaHost.open({ root: path })).rejects.toMatchObject({
      code: 'ROOT_INVALID',
      errno: 'ENOENT',
    });
  });

  test('whose bytes were changed opens or is refused, and nothing else happens', async () => {
    using tree = new CapturedHost();
    tree.pf({ address: '0000:65:00.0', totalVfs: 2, numVfs: 1 });
    tree.vdpa('vdpa0', tree.pciPath('0000:65:00.1'));
    await using host = await VdpaHost.open({ root: tree.root });
    await host.capture(join(folder, 'capture.tar.gz'));
    const whole = gunzipSync(readFileSync(join(folder, 'capture.tar.gz')));
    const change = fc.record({
      at: fc.nat(whole.length - 1),
      byte: fc.nat(255),
      fix: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = Buffer.from(whole);
        for (const { at, byte, fix } of changes) {
          bytes[at] = byte;
          if (fix) mendChecksum(bytes, at - (at % 512));
        }
        const outcome = await open(gzipSync(bytes, { level: 1 }));
        if (outcome === 'opened') return;
        expect(outcome).toBeInstanceOf(VdpaError);
        expect((outcome as VdpaError).code).toMatch(
          /^(CAPTURE_(INVALID|TOO_NEW)|KERNEL_MALFORMED|KERNEL_REFUSED|KERNEL_TIMEOUT|NOT_SUPPORTED)$/,
        );
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});

function withRecords(records: string): Buffer {
  const entry = spoilt((header) => header.write('x', 156), 'pax').subarray(
    bytesOf(manifest).length,
  );
  const head = Buffer.from(entry.subarray(0, 512));
  head.write(`${records.length.toString(8).padStart(11, '0')}\0`, 124);
  mendChecksum(head, 0);
  const body = Buffer.alloc(512);
  body.write(records);
  return Buffer.concat([bytesOf(manifest), head, body, bytesOf(file('sys/a')), tarEnd]);
}

function mendChecksum(bytes: Buffer, at: number): void {
  const header = bytes.subarray(at, at + 512);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}
