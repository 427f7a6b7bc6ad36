import { describe, expect, test } from 'vitest';
import { atLeast, atMost, missed, row } from '../../bench/row.mjs';
import { alternate, compare, median, quantile } from '../../bench/statistics.mjs';
import { parseStrace } from '../../bench/system-calls.mjs';
import { formatNumber, renderTable } from '../../bench/table.mjs';

describe('the median', () => {
  test('is the middle value, or lies half way between the two middle ones', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
  });

  test('leaves its values as they were', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('a quantile', () => {
  test('lies between its neighbours', () => {
    expect(quantile([0, 10], 0.25)).toBe(2.5);
    expect(quantile([5, 1, 3], 0)).toBe(1);
    expect(quantile([5, 1, 3], 1)).toBe(5);
  });

  test('of nothing, or outside of 0 and 1, is refused', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
    expect(() => quantile([1], 1.1)).toThrow(RangeError);
    expect(() => quantile([1], Number.NaN)).toThrow(RangeError);
  });
});

describe('pairs', () => {
  test('are compared one by one, so that a machine that slows down changes nothing', () => {
    const pairs = { ours: [2, 20, 200], theirs: [1, 10, 100] };
    expect(compare(pairs)).toEqual({
      ours: 20,
      theirs: 10,
      ratio: 2,
      speedup: 0.5,
      difference: 10,
    });
  });

  test('without their other halves are refused', () => {
    expect(() => compare({ ours: [1, 2], theirs: [1] })).toThrow(RangeError);
  });

  test('are measured alternately, and the first rounds do not count', async () => {
    const order: string[] = [];
    let a = 0;
    let b = 100;
    const pairs = await alternate(
      2,
      () => {
        order.push('ours');
        return a++;
      },
      async () => {
        order.push('theirs');
        return b++;
      },
      1,
    );
    expect(order).toEqual(['ours', 'theirs', 'ours', 'theirs', 'ours', 'theirs']);
    expect(pairs).toEqual({ ours: [1, 2], theirs: [101, 102] });
  });
});

describe('a row', () => {
  const figures = {
    name: 'x',
    devices: 1,
    unit: 'ms',
    ours: 1,
    theirs: 2,
    figureUnit: 'x',
  };

  test('meets its budget up to the limit itself', () => {
    expect(row({ ...figures, figure: 3, budget: atMost(3) }).met).toBe(true);
    expect(row({ ...figures, figure: 3.01, budget: atMost(3) }).met).toBe(false);
    expect(row({ ...figures, figure: 5, budget: atLeast(5) }).met).toBe(true);
    expect(row({ ...figures, figure: 4.99, budget: atLeast(5) }).met).toBe(false);
  });

  test('whose figure is no number meets none', () => {
    expect(row({ ...figures, figure: Number.NaN, budget: atMost(3) }).met).toBe(false);
    expect(row({ ...figures, figure: Number.NaN, budget: atLeast(3) }).met).toBe(false);
  });

  test('without a budget is not missed', () => {
    const rows = [
      row({ ...figures, figure: 9, budget: null }),
      row({ ...figures, figure: 9, budget: atMost(3) }),
    ];
    expect(missed(rows)).toEqual([rows[1]]);
  });
});

describe('the table', () => {
  test('has a line for each row, in columns', () => {
    const text = renderTable([
      row({
        name: 'resolve',
        devices: 2040,
        unit: 'us',
        ours: 48.64,
        theirs: 52,
        figure: 0.9354,
        figureUnit: 'x',
        budget: atMost(3),
      }),
      row({
        name: 'calls',
        devices: 16,
        unit: 'calls',
        ours: 11219,
        theirs: null,
        figure: 7,
        figureUnit: 'per VF',
        budget: atMost(6),
      }),
    ]);
    expect(text.split('\n')).toEqual([
      'what     devices          ours  theirs    figure     budget  met',
      'resolve    2,040       48.6 us   52 us    0.94 x  at most 3  yes',
      'calls         16  11,219 calls          7 per VF  at most 6  NO',
    ]);
  });

  test('says when a figure is no number', () => {
    expect(formatNumber(Number.NaN)).toBe('NaN');
  });
});

describe("strace's log", () => {
  const log = [
    '7 openat(AT_FDCWD, "/etc/config", O_RDONLY) = 3',
    '7 access("/bench-mark-begin", F_OK) = -1 ENOENT (No such file or directory)',
    '7 openat(3, "sys/bus/pci/devices/0000:11:00.1/config", O_RDONLY <unfinished ...>',
    '8 futex(0x7f, FUTEX_WAIT, 0, NULL <unfinished ...>',
    '7 <... openat resumed>) = 4',
    '7 read(4, "config\\n", 4096) = 7',
    '7 readlinkat(3, "configuration", "x", 4096) = 1',
    '8 <... futex resumed>) = 0',
    '8 +++ exited with 0 +++',
    '7 access("/bench-mark-end", F_OK) = -1 ENOENT (No such file or directory)',
    '7 close(4) = 0',
  ].join('\n');

  test('counts each call between the marks once, on whichever thread', () => {
    expect(parseStrace(log)).toEqual({
      total: 4,
      byName: { openat: 1, futex: 1, read: 1, readlinkat: 1 },
      configFiles: 1,
    });
  });

  test('without marks is no measurement', () => {
    expect(() => parseStrace('7 close(4) = 0')).toThrow(/marks/);
  });
});
