import { DOMParser, type Element, onErrorStopParsing } from '@xmldom/xmldom';
import { VdpaError } from '../errors.js';

/** A guest, as libvirt describes it. */
export interface DomainDescription {
  /** Whether it is that of a guest that runs, not of its next start. */
  readonly running: boolean;
  readonly memoryBytes: number;
  /** How much memory its administrator lets it lock; null: as libvirt reckons. */
  readonly hardLimitBytes: number | null;
  readonly interfaces: readonly DomainInterface[];
  /** Devices that lock all of the guest's memory once for each, and those that do so together. */
  readonly locking: { readonly each: number; readonly together: number };
  /**
   * PCIe ports that take a device now; null for a guest whose bus has room without them, or none of
   * that kind.
   */
  readonly freePorts: number | null;
}

export interface DomainInterface {
  /** Such as `vdpa`. */
  readonly type: string;
  /** Null in the description of the next start, unless it is of a user's. */
  readonly alias: string | null;
  /** Lower case, colons. */
  readonly mac: string | null;
  /** Path of the char device, when it is of type `vdpa`. */
  readonly source: string | null;
  readonly queuePairs: number;
  readonly mtu: number | null;
}

const units: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  KB: 1e3,
  k: 2 ** 10,
  KiB: 2 ** 10,
  MB: 1e6,
  M: 2 ** 20,
  MiB: 2 ** 20,
  GB: 1e9,
  G: 2 ** 30,
  GiB: 2 ** 30,
  TB: 1e12,
  T: 2 ** 40,
  TiB: 2 ** 40,
};

/** Each has room for one device. */
const ports: ReadonlySet<string> = new Set(['pcie-root-port', 'pcie-switch-downstream-port']);

/** @throws {VdpaError} `GUEST_PROTOCOL` when it is no description of a domain */
export function readDomain(xml: string): DomainDescription {
  const domain = parsed(xml);
  const devices = first(domain, 'devices');
  const memory = bytesOf(first(domain, 'memory'));
  if (memory === null) throw unreadable('it has no size of the memory');
  const all = devices === null ? [] : children(devices);
  const interfaces = all.filter(({ tagName }) => tagName === 'interface').map(readInterface);
  const vdpa = all.filter((device) =>
    ['interface:vdpa', 'disk:vhostvdpa'].includes(`${device.tagName}:${attribute(device, 'type')}`),
  );
  const passed = all.filter((device) =>
    ['hostdev:pci', 'hostdev:mdev', 'disk:nvme'].includes(
      `${device.tagName}:${attribute(device, 'type')}`,
    ),
  );
  return {
    running: attribute(domain, 'id') !== null,
    memoryBytes: memory,
    hardLimitBytes: bytesOf(first(first(domain, 'memtune'), 'hard_limit')),
    interfaces,
    locking: { each: vdpa.length, together: passed.length },
    freePorts: freePortsOf(all),
  };
}

function readInterface(device: Element): DomainInterface {
  const type = attribute(device, 'type') ?? '';
  return {
    type,
    alias: attribute(first(device, 'alias'), 'name'),
    mac: attribute(first(device, 'mac'), 'address')?.toLowerCase() ?? null,
    source: type === 'vdpa' ? attribute(first(device, 'source'), 'dev') : null,
    queuePairs: numberOf(attribute(first(device, 'driver'), 'queues')) ?? 1,
    mtu: numberOf(attribute(first(device, 'mtu'), 'size')),
  };
}

function freePortsOf(devices: readonly Element[]): number | null {
  const controllers = devices.filter(
    (device) => device.tagName === 'controller' && attribute(device, 'type') === 'pci',
  );
  if (!controllers.some((controller) => attribute(controller, 'model') === 'pcie-root'))
    return null;
  const taken = new Set(
    devices.flatMap((device) => {
      const address = first(device, 'address');
      // Those of USB, drives and serial ports count buses of their own.
      return attribute(address, 'type') === 'pci' ? [numberOf(attribute(address, 'bus'))] : [];
    }),
  );
  return controllers.filter(
    (controller) =>
      ports.has(attribute(controller, 'model') ?? '') &&
      attribute(first(controller, 'target'), 'hotplug') !== 'off' &&
      !taken.has(numberOf(attribute(controller, 'index'))),
  ).length;
}

/** As XML 1.0 has it: a path may have a character that is an end of a line elsewhere. */
const normalizeLineEndings = (xml: string): string => xml.replaceAll(/\r\n?/g, '\n');

function parsed(xml: string): Element {
  try {
    const parser = new DOMParser({ onError: onErrorStopParsing, normalizeLineEndings });
    const root = parser.parseFromString(xml, 'text/xml').documentElement;
    if (root?.tagName === 'domain') return root;
  } catch (cause) {
    throw unreadable(cause instanceof Error ? cause.message : String(cause), cause);
  }
  throw unreadable('it is of something else');
}

function unreadable(why: string, cause?: unknown): VdpaError {
  return new VdpaError('GUEST_PROTOCOL', `libvirt's description of the guest: ${why}`, { cause });
}

function children(element: Element): Element[] {
  return [...element.childNodes].filter((node): node is Element => node.nodeType === 1);
}

function first(element: Element | null, name: string): Element | null {
  if (element === null) return null;
  return children(element).find(({ tagName }) => tagName === name) ?? null;
}

function attribute(element: Element | null, name: string): string | null {
  return element?.getAttribute(name) ?? null;
}

/** In decimal, or behind `0x` in hexadecimal. */
function numberOf(text: string | null): number | null {
  return text !== null && /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : null;
}

function bytesOf(element: Element | null): number | null {
  const amount = numberOf(element?.textContent?.trim() ?? null);
  const unit = units[attribute(element, 'unit') ?? 'KiB'];
  return amount === null || unit === undefined ? null : amount * unit;
}
