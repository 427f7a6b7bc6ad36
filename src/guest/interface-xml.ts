import type { WantedInterface } from './guest-interface.js';
import type { InterfaceName } from './interface-name.js';

/** Libvirt keeps an alias as it is given only with this in front. */
const mark = 'ua-';

export const aliasOf = (name: InterfaceName): string => `${mark}${name}`;

/** What an alias of a user's says behind its mark; null for one that libvirt made. */
export function nameInAlias(alias: string): string | null {
  return alias.startsWith(mark) ? alias.slice(mark.length) : null;
}

/**
 * The interface as libvirt is given it: nova's elements and attributes, the alias, and what nova does
 * not ask for: several queue pairs and an MTU.
 *
 * @param mac libvirt makes one up where there is none
 */
export function interfaceXml(wanted: WantedInterface, mac: string): string {
  const { name, charDevice, queuePairs, mtu } = wanted;
  const lines = [
    `<mac address="${escaped(mac)}"/>`,
    `<source dev="${escaped(charDevice.path)}"/>`,
    // Queues of an interface whose model is only known later are passed over.
    ...(queuePairs > 1 ? ['<model type="virtio"/>', `<driver queues="${queuePairs}"/>`] : []),
    ...(mtu === null ? [] : [`<mtu size="${mtu}"/>`]),
    `<alias name="${escaped(aliasOf(name))}"/>`,
  ];
  return ['<interface type="vdpa">', ...lines.map((line) => `  ${line}`), '</interface>\n'].join(
    '\n',
  );
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** White space as numbers: in an attribute the parser would make blanks of it. */
function escaped(text: string): string {
  return text.replaceAll(
    /[&<>"'\t\n\r]/g,
    (character) => entities[character] ?? `&#${character.charCodeAt(0)};`,
  );
}
