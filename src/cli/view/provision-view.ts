import type { ProvisionObstacle, ProvisionReport, ProvisionStep } from '../../index.js';
import { tableLines } from './rows.js';
import { type Cell, cell, type Terminal } from './terminal.js';
import { counted } from './words.js';

/** What is or was to do, a line each, then what stands in the way, then how many. */
export function provisionLines(report: ProvisionReport, terminal: Terminal): string[] {
  const { check, steps, obstacles } = report;
  if (steps.length + obstacles.length === 0) return ['all is as declared'];
  const rows = [
    ...steps.map((step): Cell[] => [cell(check ? 'to do' : 'done', 'good'), ...placed(step)]),
    ...obstacles.map((obstacle): Cell[] => [cell('in the way', 'bad'), ...placed(obstacle)]),
  ];
  const summary = check
    ? `${counted(steps.length, 'step')} to do, ${obstacles.length} in the way`
    : `${counted(steps.length, 'step')} done; all is as declared`;
  return [...tableLines(rows, terminal), '', summary];
}

function placed({ pf, vf, text }: ProvisionStep | ProvisionObstacle): Cell[] {
  return [cell(pf ?? '-'), cell(vf === null ? '' : `vf ${vf}`), cell(text)];
}
