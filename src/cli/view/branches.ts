import { columnWidths, layOut } from './rows.js';
import { type Cell, paint, type Terminal } from './terminal.js';

/** A line of a drawn tree and what hangs below it. */
export interface Branch {
  /** One cell: a sentence. Several: columns, aligned with those of its siblings. */
  readonly cells: readonly Cell[];
  readonly children: readonly Branch[];
}

const box = { tee: '├─ ', corner: '└─ ', pipe: '│  ', blank: '   ' } as const;
const ascii = { tee: '|-- ', corner: '`-- ', pipe: '|   ', blank: '    ' } as const;

/** Draws siblings and all below them. */
export function drawBranches(
  siblings: readonly Branch[],
  terminal: Terminal,
  guide = '',
): string[] {
  const glyphs = terminal.unicode ? box : ascii;
  const widths = columnWidths(
    siblings.map(({ cells }) => cells),
    terminal,
  );
  return siblings.flatMap(({ cells, children }, index) => {
    const isLast = index === siblings.length - 1;
    const head = guide + (isLast ? glyphs.corner : glyphs.tee);
    const below = guide + (isLast ? glyphs.blank : glyphs.pipe);
    const [first = '', ...wrapped] = layOut(cells, widths, terminal, head.length);
    const hanging = below + (children.length > 0 ? glyphs.pipe.trimEnd() : '');
    return [
      paint(head, 'faint', terminal) + first,
      ...wrapped.map(
        (line) => paint(hanging, 'faint', terminal) + line.slice(hanging.length - below.length),
      ),
      ...drawBranches(children, terminal, below),
    ];
  });
}
