import { type ExpressionNode, parseExpression } from './parse-expression.js';

/** Of the subject the longest is a domain, four digits: a longer expression says nothing more. */
const mostCharacters = 200;

/**
 * A regular expression over one field of a PCI address, as operators write them for nova: Python's
 * syntax, to be found at the field's beginning, free to end before the field does.
 *
 * JavaScript's own expressions have another syntax, and take time without bound for some that look
 * harmless. This one asks at most once of every part of the expression where it can end when it
 * begins at a given place, so that the time is bounded by the two lengths. Parts that need more than
 * that (backreferences, lookbehind, possessive repetition) are refused by name.
 */
export class AddressExpression {
  readonly source: string;
  readonly #root: ExpressionNode;

  /** @throws {SyntaxError} that says what is wrong with the expression */
  constructor(source: string) {
    if (source.length > mostCharacters) {
      throw new SyntaxError(`longer than ${mostCharacters} characters`);
    }
    this.source = source;
    this.#root = parseExpression(source);
  }

  matches(text: string): boolean {
    return new Search(text).ends(this.#root, 0) !== 0;
  }
}

/** Sets of places in one text, as bits: bit n is the place before character n. */
class Search {
  readonly #text: string;
  readonly #known = new Map<ExpressionNode, (number | undefined)[]>();

  constructor(text: string) {
    this.#text = text;
  }

  /** Where the node can end when it begins at this place. */
  ends(node: ExpressionNode, at: number): number {
    let known = this.#known.get(node);
    if (known === undefined) {
      known = [];
      this.#known.set(node, known);
    }
    known[at] ??= this.#search(node, at);
    return known[at];
  }

  #search(node: ExpressionNode, at: number): number {
    const here = 1 << at;
    switch (node.kind) {
      case 'character':
        return at < this.#text.length && node.test(this.#text.charAt(at)) ? here << 1 : 0;
      case 'place':
        return node.test(this.#text, at) ? here : 0;
      case 'ahead':
        return (this.ends(node.node, at) !== 0) === node.wanted ? here : 0;
      case 'sequence':
        return node.nodes.reduce((places, next) => this.#from(next, places), here);
      case 'choice':
        return node.nodes.reduce((places, next) => places | this.ends(next, at), 0);
      case 'repeat':
        return this.#repeated(node.node, here, node.least, node.most);
    }
  }

  #from(node: ExpressionNode, places: number): number {
    let reached = 0;
    for (let at = 0; places >> at !== 0; at++) {
      if ((places >> at) & 1) reached |= this.ends(node, at);
    }
    return reached;
  }

  /** After one round more than there are characters, one of them was empty: further ones change nothing. */
  #repeated(node: ExpressionNode, here: number, least: number, most: number): number {
    const rounds = this.#text.length + 1;
    let places = here;
    for (let round = 0; round < Math.min(least, rounds); round++) places = this.#from(node, places);
    let reached = places;
    for (let round = 0; round < Math.min(most - least, rounds); round++) {
      places = this.#from(node, places);
      reached |= places;
    }
    return reached;
  }
}
