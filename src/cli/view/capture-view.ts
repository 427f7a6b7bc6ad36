import type { Capture } from '../../index.js';
import { inconsistentLine } from './empty-host.js';
import { layOut } from './rows.js';
import { cell, type Style, type Terminal } from './terminal.js';
import { counted } from './words.js';

/** What has been written, and what it lacks. */
export function captureLines(capture: Capture, terminal: Terminal): string[] {
  const { file, bytes, devices, pciFunctions, managementDevices, consistent } = capture;
  const what = [
    counted(devices, 'device'),
    counted(pciFunctions, 'PCI function'),
    counted(managementDevices, 'management device'),
  ].join(', ');
  const line = (text: string, style: Style): string[] => layOut([cell(text, style)], [], terminal);
  const lacks = (title: string, names: readonly string[]): string[] =>
    names.length === 0
      ? []
      : layOut([cell(`${title}:`, 'caution')], [], terminal).concat(
          names.flatMap((name) => layOut([cell(`  ${name}`)], [], terminal)),
        );
  return [
    ...line(`${file}: ${what}, ${counted(bytes, 'byte')}`, 'good'),
    ...(consistent ? [] : line(inconsistentLine, 'caution')),
    ...lacks('No answer, so not in it', capture.unanswered),
    ...lacks('Left out, since it is not on the list of what a capture may hold', capture.withheld),
  ];
}
