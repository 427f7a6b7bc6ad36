import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressExpression } from '../../../src/policy/address-expression.js';

const matches = (source: string, text: string) => new AddressExpression(source).matches(text);

describe('an expression over a field of an address', () => {
  test.each([
    ['0', '06', true],
    ['6', '06', false],
    ['', '06', true],
    ['0$', '06', false],
    ['^06\\Z', '06', true],
    ['(06|0a)', '0a', true],
    ['06|0a$', '0af', false],
    ['[0-7]', '8', false],
    ['[^0-7]', '8', true],
    ['[]a]', ']', true],
    ['[a-]', '-', true],
    ['\\x30', '06', true],
    ['\\d+$', '0a', false],
    ['\\w{2}$', '0a', true],
    ['\\W', '0a', false],
    ['0(?!3)', '03', false],
    ['0(?!3)', '04', true],
    ['(?=.a)0', '0a', true],
    ['(?:0|1)+$', '0110', true],
    ['(?P<bus>0)a', '0a', true],
    ['(?i)0A', '0a', true],
    ['0A', '0a', false],
    ['a{2}', 'a', false],
    ['a{,2}$', 'aaa', false],
    ['a{1,}?$', 'aaa', true],
    ['a{x', 'a{x', true],
    ['0\\b', '0a', false],
    ['\\.', 'a', false],
  ])('%j matches %j: %j', (source, text, expected) => {
    expect(matches(source, text)).toBe(expected);
  });

  test.each([
    ['*', /nothing to repeat/],
    ['(|*)', /nothing to repeat/],
    ['^*', /nothing to repeat/],
    ['a**', /multiple repeat/],
    ['a++', /possessive/],
    ['a{2,1}', /min repeat/],
    ['(', /missing \)/],
    [')', /unbalanced/],
    ['0[3', /unterminated/],
    ['[b-a]', /bad character range/],
    ['[\\d-a]', /bad character range/],
    ['(a)\\1', /backreferences/],
    ['(?<=a)b', /\(\?< is not supported/],
    ['\\q', /bad escape/],
    ['\\', /ends in the middle/],
    ['0'.repeat(201), /longer than 200/],
  ])('refuses %j and says why', (source, reason) => {
    expect(() => new AddressExpression(source)).toThrow(reason);
  });

  test('agrees with JavaScript where both have the same syntax', () => {
    const character = fc.constantFrom('0', '1', 'a', '.', '[0-1]', '[^0]', '\\d', '(?:)', '$', '^');
    const { expression } = fc.letrec<{ expression: string; part: string }>((tie) => ({
      part: fc.oneof(
        { maxDepth: 4 },
        character,
        fc
          .tuple(tie('expression'), fc.constantFrom('*', '+', '?', '{2}', '{0,2}', '*?', ''))
          .map(([inner, times]) => `(?:${inner})${times}`),
        tie('expression').map((inner) => `(?=${inner})`),
        tie('expression').map((inner) => `(?!${inner})`),
        fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `(${a}|${b})`),
      ),
      expression: fc.array(tie('part'), { maxLength: 4 }).map((parts) => parts.join('')),
    }));
    const text = fc.string({ unit: fc.constantFrom('0', '1', 'a'), maxLength: 4 });
    fc.assert(
      fc.property(expression, text, (source, subject) => {
        fc.pre(source.length <= 200);
        expect(matches(source, subject)).toBe(new RegExp(`^(?:${source})`).test(subject));
      }),
      { numRuns: 2000 },
    );
  });

  test('of any text is read or refused, never anything else', () => {
    const unit = fc.constantFrom(...'()[]{}|*+?^$\\.-,:=!<P>xdwi01a\u0000é'.split(''));
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 30 }), (source) => {
        try {
          expect(matches(source, '0000')).toBeTypeOf('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  // Each would keep a search that goes back and tries again busy for years.
  test.each(
    Object.entries({
      'nested empty choices': `${'(|'.repeat(60)}${')'.repeat(60)}x`,
      'many empty choices': `${'(|0)'.repeat(49)}x`,
      'nested stars': `${'('.repeat(60)}0${'*)'.repeat(60)}*x`,
      'nested counts': `${'('.repeat(30)}0?${'){99}'.repeat(30)}x`,
      'nested lookaheads': `${'(?=.*'.repeat(32)}x${')'.repeat(32)}`,
      'many stars': `${'.*'.repeat(90)}x`,
      'a star of equal choices': `(${'.|'.repeat(90)}.)*x`,
      'a huge count': '0{999999999}',
    }),
  )('takes no more time for %s than for others', (_name, source) => {
    const hostile = new AddressExpression(source);
    for (let value = 0; value < 256; value++) {
      expect(hostile.matches(value.toString(16).padStart(4, '0'))).toBe(false);
    }
  });
});
