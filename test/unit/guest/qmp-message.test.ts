import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { parseQmpMessage } from '../../../src/guest/qmp-message.js';

const parse = (message: unknown) => parseQmpMessage(Buffer.from(JSON.stringify(message)));
const version = { qemu: { micro: 22, minor: 2, major: 7 }, package: 'Debian' };

describe('a line of a monitor', () => {
  test('greets with its version', () => {
    expect(parse({ QMP: { version, capabilities: ['oob'] } })).toEqual({
      kind: 'greeting',
      version: '7.2.22',
    });
  });

  test('answers', () => {
    expect(parse({ return: [1], id: 7 })).toEqual({ kind: 'return', id: 7, value: [1] });
    expect(parse({ error: { class: 'DeviceNotFound', desc: 'no' }, id: 7 })).toEqual({
      kind: 'error',
      id: 7,
      errorClass: 'DeviceNotFound',
      description: 'no',
    });
  });

  test('tells of an event, with data or without', () => {
    expect(parse({ event: 'RESUME', timestamp: {} })).toEqual({
      kind: 'event',
      event: 'RESUME',
      data: {},
    });
    expect(parse({ event: 'DEVICE_DELETED', data: { device: 'x' } })).toMatchObject({
      data: { device: 'x' },
    });
  });

  test.each([
    ['{', 'no JSON'],
    ['[]', 'no object'],
    ['null', 'no object'],
    ['{}', 'neither answer nor event'],
    ['{"event": "X", "data": []}', 'data of an event'],
    ['{"return": {}, "id": "7"}', 'not of a request of ours'],
    ['{"error": "no", "id": 7}', 'neither answer nor event'],
    ['{"error": {"class": "X"}, "id": 7}', 'no words'],
    ['{"QMP": {}}', 'no version'],
    ['{"QMP": {"version": {"qemu": {"major": "7", "minor": 2, "micro": 1}}}}', 'no version'],
  ])('that is none of these is refused: %s', (line, says) => {
    expect(() => parseQmpMessage(Buffer.from(line))).toThrow(says);
  });

  test('of any bytes is read or refused, and nothing else', () => {
    const members = fc.constantFrom(
      'QMP',
      'event',
      'data',
      'id',
      'return',
      'error',
      'class',
      'desc',
    );
    const anything = fc.oneof(
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc.dictionary(members, fc.jsonValue()).map((message) => Buffer.from(JSON.stringify(message))),
    );
    fc.assert(
      fc.property(anything, (line) => {
        try {
          expect(parseQmpMessage(line).kind).toMatch(/^(greeting|return|error|event)$/);
        } catch (error) {
          expect(error).toBeInstanceOf(VdpaError);
          expect(error).toMatchObject({ code: 'GUEST_PROTOCOL' });
        }
      }),
      { numRuns: 1000 },
    );
  });
});
