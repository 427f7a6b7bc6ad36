import { z } from 'zod';
import { featureBit } from './features.js';
import { isDeviceMac } from './mac-address.js';
import { mtuRange, queuePairsRange } from './net-limits.js';
import { isNewName } from './parse-create-request.js';
import { isPciAddress } from './pci-address.js';

/** What a host's VFs and vDPA devices are to be. Anything that it does not mention is left alone. */
export interface ProvisionDeclaration {
  /** For editors; means nothing here. */
  readonly $schema?: string | undefined;
  readonly pfs: readonly DeclaredPf[];
}

/** A PF, or with `ids` every PF of that kind. Exactly one of the first three keys. */
export interface DeclaredPf {
  /** `0000:65:00.0` */
  readonly address?: string | undefined;
  /** The name of one of its interfaces. */
  readonly netdev?: string | undefined;
  /** Vendor and device, as `lspci -n` has them: `15b3:101d`. */
  readonly ids?: string | undefined;
  /** Number of VFs, 0 to 65,535. Default: as many as it has. */
  readonly vfs?: number | undefined;
  /**
   * Whether VFs that are there may go, all together, so that their number can be changed. Default
   * false.
   */
  readonly shrink?: boolean | undefined;
  /** No VF twice. */
  readonly devices?: readonly DeclaredDevices[] | undefined;
}

/** One vDPA device on each of these VFs. What is left out is the driver's choice, or stays as it is. */
export interface DeclaredDevices {
  /** VF numbers from 0, and ranges of them: `[0, 2, "4-7"]`. */
  readonly on: 'all' | readonly (number | string)[];
  /** One address for one VF; or counted by VF; or given for each. */
  readonly mac?: string | CountedMac | GivenMacs | undefined;
  /** Bytes, 68 to 65,535. */
  readonly mtu?: number | undefined;
  /** 1 to 32,768. */
  readonly maxVqPairs?: number | undefined;
  /** Names as `vdpa-host show` has them, or a mask in hexadecimal: the device offers just these. */
  readonly features?: string | readonly string[] | undefined;
  /** Default `vhost_vdpa`. */
  readonly driver?: 'vhost_vdpa' | 'virtio_vdpa' | 'none' | undefined;
  /** `{pf}` is the PF's address, `{netdev}` its first interface, `{vf}` the VF's number. */
  readonly name?: string | undefined;
  /** User of the node, by name or number. */
  readonly owner?: string | number | undefined;
  /** Group of the node, by name or number. */
  readonly group?: string | number | undefined;
  /** Permissions of the node, octal: `0660`. */
  readonly mode?: string | undefined;
}

/** `base` + VF number times `increment` + the PF's place among those selected times `pfIncrement`. */
export interface CountedMac {
  readonly base: string;
  /** Default 1. */
  readonly increment?: number | undefined;
  /** Default 0: of several PFs that `ids` selects, the VFs would have the same addresses. */
  readonly pfIncrement?: number | undefined;
}

export interface GivenMacs {
  /** By VF number. */
  readonly byVf: Readonly<Record<string, string>>;
}

export const mostVfs = 0xffff;
const mac = z
  .string()
  .refine(isDeviceMac, 'expected a unicast address such as 02:00:00:00:00:01')
  .meta({ description: 'unicast MAC address' });
const account = z
  .union([z.string().min(1), z.int().min(0).max(0xffff_fffe)], {
    error: 'expected a name or number',
  })
  .meta({ description: 'name or number' });
const vfNumber = z
  .int()
  .min(0)
  .max(mostVfs - 1);
const placeholder = /\{(?:pf|netdev|vf)\}/g;

const devices = z.strictObject({
  on: z
    .union(
      [
        z.literal('all'),
        z
          .array(
            z.union(
              [vfNumber, z.string().regex(/^\d{1,5}-\d{1,5}$/, 'expected a range such as "4-7"')],
              { error: 'expected the number of a VF, or a range such as "4-7"' },
            ),
          )
          .min(1),
      ],
      { error: 'expected "all" or a list such as [0, "4-7"]' },
    )
    .meta({ description: 'VF numbers from 0, and ranges' }),
  mac: z
    .union(
      [
        mac,
        z.strictObject({
          base: mac,
          increment: z.int().min(0).max(0xff_ffff).optional(),
          pfIncrement: z.int().min(0).max(0xff_ffff).optional(),
        }),
        z.strictObject({ byVf: z.record(z.string().regex(/^(0|[1-9]\d{0,4})$/), mac) }),
      ],
      { error: 'expected an address, {"base": address} or {"byVf": {"0": address}}' },
    )
    .optional(),
  mtu: z.int().min(mtuRange.least).max(mtuRange.most).optional(),
  maxVqPairs: z.int().min(queuePairsRange.least).max(queuePairsRange.most).optional(),
  features: z
    .union(
      [
        z.string().regex(/^0x[0-9a-f]{1,16}$/i, 'expected a mask such as "0x300000028"'),
        z.array(
          z
            .string()
            .refine(
              (name) => featureBit(name, 'net') !== undefined,
              'no feature of a network device',
            ),
        ),
      ],
      { error: 'expected a list of names, or a mask such as "0x300000028"' },
    )
    .optional(),
  driver: z.enum(['vhost_vdpa', 'virtio_vdpa', 'none']).optional(),
  name: z
    .string()
    .refine(
      (pattern) =>
        isNewName(pattern.replace(placeholder, '0')) &&
        !/[{}]/.test(pattern.replace(placeholder, '')),
      'expected printable ASCII without blanks and slashes, not beginning with -, and no other placeholders than {pf}, {netdev} and {vf}',
    )
    .optional(),
  owner: account.optional(),
  group: account.optional(),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'expected an octal mode such as "0660"')
    .optional(),
});

const pf = z.strictObject({
  address: z
    .string()
    .refine(isPciAddress, 'expected a PCI address such as 0000:65:00.0')
    .optional(),
  netdev: z.string().min(1).optional(),
  ids: z
    .string()
    .regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/, 'expected vendor and device such as 15b3:101d')
    .optional(),
  vfs: z.int().min(0).max(mostVfs).optional(),
  shrink: z.boolean().optional().meta({
    description: 'VFs that are there may go, all together, so that their number can change',
  }),
  devices: z.array(devices).optional(),
});

/** The form of a declaration, without the rules that no JSON schema can say. */
export const declarationForm = z.strictObject({
  $schema: z.string().optional(),
  pfs: z.array(pf).min(1),
});
