import type { DeviceHealth, DriverHealth, LinkHealth, NodeHealth } from '../../index.js';
import { type Cell, cell, type Style } from './terminal.js';

const linkTexts: Readonly<Record<LinkHealth, readonly [words: string, style: Style]>> = {
  up: ['link up', 'plain'],
  down: ['link down', 'bad'],
  'no-answer': ['link unknown: no answer', 'caution'],
};

const driverTexts: Readonly<Record<DriverHealth, string>> = {
  ok: 'driver ok',
  none: 'no driver',
  failed: 'driver has made no char device',
};

const nodeTexts: Readonly<Record<NodeHealth, string>> = {
  ok: 'node ok',
  missing: 'no node below /dev',
  mismatch: 'another node below /dev',
};

/** Empty for a device that has none to tell of, or was not asked. */
export function linkCell(health: DeviceHealth | undefined): Cell {
  if (health === undefined || health.link === null) return cell('');
  const [words, style] = linkTexts[health.link];
  return cell(words, style);
}

/** What a summary ends with: the links that are not up, if any. */
export function linksLine(health: readonly DeviceHealth[]): string {
  const down = health.filter(({ link }) => link === 'down').length;
  const unknown = health.filter(({ link }) => link === 'no-answer').length;
  return `${down > 0 ? `, ${down} with the link down` : ''}${unknown > 0 ? `, ${unknown} did not tell` : ''}`;
}

/** How a device fares, in a sentence. */
export function healthWords({ driver, node, link, healthy }: DeviceHealth): [Cell, Style] {
  const words = [
    driverTexts[driver],
    ...(node === null ? [] : [nodeTexts[node]]),
    ...(link === null ? [] : [linkTexts[link][0]]),
  ].join(', ');
  const style = !healthy ? 'bad' : link === 'no-answer' ? 'caution' : 'good';
  return [cell(words, style), style];
}
