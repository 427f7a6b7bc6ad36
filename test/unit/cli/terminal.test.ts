import { describe, expect, it } from 'vitest';
import type { CliIo } from '../../../src/cli/io.js';
import { escapeText } from '../../../src/cli/view/escape.js';
import { terminalOf } from '../../../src/cli/view/terminal.js';

function terminal(env: CliIo['env'], isTty = true, noColour = false, columns = 80) {
  const sink = { write: () => true };
  return terminalOf({ stdout: sink, stderr: sink, isTty, env, columns }, noColour);
}

describe('colour', () => {
  it.each([
    ['on a terminal', {}, true, true],
    ['not in a pipe', {}, false, false],
    ['not with NO_COLOR', { NO_COLOR: '0' }, true, false],
    ['with an empty NO_COLOR, which counts as unset', { NO_COLOR: '' }, true, true],
    ['not on a dumb terminal', { TERM: 'dumb' }, true, false],
    ['in a pipe with FORCE_COLOR', { FORCE_COLOR: '1' }, false, true],
    ['not in a pipe with FORCE_COLOR=0', { FORCE_COLOR: '0' }, false, false],
    ['not with both: refusing wins', { FORCE_COLOR: '1', NO_COLOR: '1' }, true, false],
  ])('%s', (_, env, isTty, expected) => {
    expect(terminal({ TERM: 'xterm', ...env }, isTty).colour).toBe(expected);
  });

  it('not with --no-color', () => {
    expect(terminal({ FORCE_COLOR: '1' }, true, true).colour).toBe(false);
  });
});

describe('locale', () => {
  it.each([
    [{ LANG: 'en_US.UTF-8' }, true],
    [{ LANG: 'C.utf8' }, true],
    [{ LANG: 'C' }, false],
    [{}, false],
    [{ LC_ALL: 'C', LANG: 'en_US.UTF-8' }, false],
    [{ LC_CTYPE: 'de_DE.UTF-8', LANG: 'C' }, true],
    [{ LC_ALL: '', LC_CTYPE: 'POSIX', LANG: 'en_US.UTF-8' }, false],
  ])('%j: unicode %s', (env, expected) => {
    expect(terminal(env).unicode).toBe(expected);
  });
});

it('wraps on a terminal of known width only', () => {
  expect(terminal({}, true).columns).toBe(80);
  expect(terminal({}, false).columns).toBeNull();
  expect(terminal({}, true, false, 0).columns).toBeNull();
});

describe('escaping', () => {
  it.each([
    ['\u001b[31m', '\\x1b[31m'],
    ['a\tb\r\n', 'a\\x09b\\x0d\\x0a'],
    ['\u007f\u0085\u009b', '\\x7f\\u{85}\\u{9b}'],
    ['\u202egnp\u2066', '\\u{202e}gnp\\u{2066}'],
    ['\u2028\u200b\ufeff', '\\u{2028}\\u{200b}\\u{feff}'],
    ['\ud800', '\\u{d800}'],
    ['naïve-名前', 'naïve-名前'],
  ])('%j', (text, safe) => {
    expect(escapeText(text)).toBe(safe);
  });

  it('leaves nothing but ASCII when asked to', () => {
    expect(escapeText('é名\u{1f600}~', true)).toBe('\\u{e9}\\u{540d}\\u{1f600}~');
  });
});
