import type { HostFinding } from '../../lifecycle/host-audit.js';
import { markOf } from './device-state.js';
import { tableLines } from './rows.js';
import { cell, type Terminal } from './terminal.js';

/** Each finding, and what can be done about it. */
export function auditLines(findings: readonly HostFinding[], terminal: Terminal): string[] {
  if (findings.length === 0)
    return [
      ...tableLines([[cell(`${markOf('usable', terminal)} all fits together`, 'good')]], terminal),
    ];
  return healLines(findings, terminal);
}

export function healLines(findings: readonly HostFinding[], terminal: Terminal): string[] {
  return tableLines(
    findings.map(({ code, message, healable }) => [
      cell(code, healable ? 'strong' : 'bad'),
      cell(message),
      cell(healable ? "'vdpa-host heal' sets it right" : '', 'faint'),
    ]),
    terminal,
  );
}
