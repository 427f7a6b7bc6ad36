import type { Finding, Severity } from '../../index.js';
import { markOf, type StateLevel } from './device-state.js';
import { layOut, tableLines } from './rows.js';
import { type Cell, cell, type Style, type Terminal } from './terminal.js';
import { counted } from './words.js';

const looks: Readonly<Record<Severity, { readonly level: StateLevel; readonly style: Style }>> = {
  ok: { level: 'usable', style: 'good' },
  warning: { level: 'caution', style: 'caution' },
  error: { level: 'wrong', style: 'bad' },
};

/** What was checked, with the cure below each finding that needs one. */
export function doctorLines(findings: readonly Finding[], terminal: Terminal): string[] {
  const rows = findings.flatMap(({ severity, code, message, cure }): Cell[][] => {
    const { level, style } = looks[severity];
    const finding = [
      cell(`${markOf(level, terminal)} ${severity}`, style),
      cell(code),
      cell(message),
    ];
    return cure === null
      ? [finding]
      : [finding, [cell(''), cell(''), cell(`cure: ${cure}`, 'strong')]];
  });
  const count = (severity: Severity): number =>
    findings.filter((finding) => finding.severity === severity).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const summary = `${counted(findings.length, 'check')}: ${counted(errors, 'error')}, ${counted(warnings, 'warning')}`;
  const style = errors > 0 ? 'bad' : warnings > 0 ? 'caution' : 'good';
  return [...tableLines(rows, terminal), '', ...layOut([cell(summary, style)], [], terminal)];
}
