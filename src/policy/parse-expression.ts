type Test = (character: string) => boolean;

/** One part of an expression. */
export type ExpressionNode =
  | { readonly kind: 'character'; readonly test: Test }
  | { readonly kind: 'place'; readonly test: (text: string, at: number) => boolean }
  | { readonly kind: 'sequence' | 'choice'; readonly nodes: readonly ExpressionNode[] }
  | {
      readonly kind: 'repeat';
      readonly node: ExpressionNode;
      readonly least: number;
      readonly most: number;
    }
  | { readonly kind: 'ahead'; readonly node: ExpressionNode; readonly wanted: boolean };

const isDigit: Test = (character) => /\d/.test(character);
const isSpace: Test = (character) => /\s/.test(character);
const isWord: Test = (character) => /[\p{L}\p{N}_]/u.test(character);
const not =
  (test: Test): Test =>
  (character) =>
    !test(character);

const classes: Readonly<Record<string, Test>> = {
  d: isDigit,
  D: not(isDigit),
  s: isSpace,
  S: not(isSpace),
  w: isWord,
  W: not(isWord),
};
const controls: Readonly<Record<string, string>> = {
  a: '\x07',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const atBoundary = (text: string, at: number): boolean =>
  (at > 0 && isWord(text.charAt(at - 1))) !== (at < text.length && isWord(text.charAt(at)));
const atStart = (_text: string, at: number): boolean => at === 0;
const atEnd = (text: string, at: number): boolean => at === text.length;

/**
 * Reads the part of Python's syntax that `AddressExpression` understands.
 *
 * @throws {SyntaxError} that says what is wrong, or not understood
 */
export function parseExpression(source: string): ExpressionNode {
  return new Parser(source).parse();
}

class Parser {
  readonly #source: string;
  #next = 0;
  #ignoresCase = false;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): ExpressionNode {
    this.#ignoresCase = this.#take('(?i)');
    const root = this.#choice();
    if (this.#next < this.#source.length) throw new SyntaxError('unbalanced )');
    return root;
  }

  /** Takes the text if it comes next. */
  #take(text: string): boolean {
    const comes = this.#source.startsWith(text, this.#next);
    if (comes) this.#next += text.length;
    return comes;
  }

  #takeForm(form: RegExp): RegExpExecArray | null {
    form.lastIndex = this.#next;
    const found = form.exec(this.#source);
    if (found !== null) this.#next = form.lastIndex;
    return found;
  }

  #choice(): ExpressionNode {
    const nodes = [this.#sequence()];
    while (this.#take('|')) nodes.push(this.#sequence());
    return { kind: 'choice', nodes };
  }

  #sequence(): ExpressionNode {
    const nodes: ExpressionNode[] = [];
    while (this.#next < this.#source.length && !/[|)]/.test(this.#source.charAt(this.#next))) {
      nodes.push(this.#repeatable());
    }
    return { kind: 'sequence', nodes };
  }

  #repeatable(): ExpressionNode {
    if (this.#repetition() !== null) throw new SyntaxError('nothing to repeat');
    const node = this.#atom();
    const repetition = this.#repetition();
    if (repetition === null) return node;
    if (node.kind === 'place') throw new SyntaxError('nothing to repeat');
    if (this.#take('+')) throw new SyntaxError('possessive repetition is not supported');
    this.#take('?'); // Which end is tried first makes no difference to whether there is one.
    if (this.#repetition() !== null) throw new SyntaxError('multiple repeat');
    return { kind: 'repeat', node, ...repetition };
  }

  #repetition(): { least: number; most: number } | null {
    if (this.#take('*')) return { least: 0, most: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { least: 1, most: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { least: 0, most: 1 };
    // Any other brace is one to match.
    const [, one, from, to] = this.#takeForm(/\{(?:(\d+)|(\d*),(\d*))\}/y) ?? [];
    if (one !== undefined) return { least: Number(one), most: Number(one) };
    if (from === undefined) return null;
    const least = Number(from);
    const most = to === '' ? Number.POSITIVE_INFINITY : Number(to);
    if (most < least) throw new SyntaxError('min repeat greater than max repeat');
    return { least, most };
  }

  #atom(): ExpressionNode {
    if (this.#take('(')) return this.#group();
    if (this.#take('[')) return this.#set();
    if (this.#take('\\')) return this.#escape();
    if (this.#take('^')) return { kind: 'place', test: atStart };
    if (this.#take('$')) return { kind: 'place', test: atEnd };
    if (this.#take('.')) return { kind: 'character', test: (character) => character !== '\n' };
    return this.#literal(this.#character());
  }

  #character(): string {
    const [character] = this.#takeForm(/./suy) ?? [];
    if (character === undefined) throw new SyntaxError('ends in the middle');
    return character;
  }

  #literal(character: string): ExpressionNode {
    return { kind: 'character', test: this.#span(character, character) };
  }

  #span(first: string, last: string): Test {
    const within: Test = (character) => character >= first && character <= last;
    if (!this.#ignoresCase) return within;
    return (character) => within(character.toLowerCase()) || within(character.toUpperCase());
  }

  #group(): ExpressionNode {
    const ahead = this.#take('?=') ? true : this.#take('?!') ? false : null;
    const plain = ahead !== null || this.#takeForm(/\?(?::|P<[A-Za-z_]\w*>)/y) !== null;
    if (!plain && this.#take('?')) {
      throw new SyntaxError(`(?${this.#source.charAt(this.#next)} is not supported`);
    }
    const node = this.#choice();
    if (!this.#take(')')) throw new SyntaxError('missing ), unterminated subpattern');
    return ahead === null ? node : { kind: 'ahead', node, wanted: ahead };
  }

  #escape(): ExpressionNode {
    if (this.#take('A')) return { kind: 'place', test: atStart };
    if (this.#take('Z')) return { kind: 'place', test: atEnd };
    if (this.#take('b')) return { kind: 'place', test: atBoundary };
    if (this.#take('B')) return { kind: 'place', test: (text, at) => !atBoundary(text, at) };
    const meant = this.#escaped();
    return typeof meant === 'string' ? this.#literal(meant) : { kind: 'character', test: meant };
  }

  /** What follows a backslash, in a set or outside. */
  #escaped(): string | Test {
    const [, hex2, hex4] = this.#takeForm(/x([\da-fA-F]{2})|u([\da-fA-F]{4})/y) ?? [];
    const hex = hex2 ?? hex4;
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    const character = this.#character();
    if (/\d/.test(character)) throw new SyntaxError('backreferences are not supported');
    const meant = /[a-z]/i.test(character)
      ? (classes[character] ?? controls[character])
      : character;
    if (meant === undefined) throw new SyntaxError(`bad escape \\${character}`);
    return meant;
  }

  #set(): ExpressionNode {
    const wanted = !this.#take('^');
    const tests: Test[] = [];
    do {
      const first = this.#member();
      if (this.#takeForm(/-(?!\])/y) !== null) {
        const last = this.#member();
        if (typeof first !== 'string' || typeof last !== 'string' || last < first) {
          throw new SyntaxError('bad character range');
        }
        tests.push(this.#span(first, last));
      } else tests.push(typeof first === 'string' ? this.#span(first, first) : first);
    } while (!this.#take(']'));
    const test: Test = (character) => tests.some((one) => one(character)) === wanted;
    return { kind: 'character', test };
  }

  #member(): string | Test {
    if (this.#next >= this.#source.length) throw new SyntaxError('unterminated character set');
    if (!this.#take('\\')) return this.#character();
    return this.#take('b') ? '\b' : this.#escaped();
  }
}
