import type { Claim } from './claim.js';
import type { DeviceRecord } from './device-record.js';

/** What changed, once it is durable; null where there was or is none. */
export type TrackerEvent =
  | {
      readonly type: 'device';
      readonly before: DeviceRecord | null;
      readonly after: DeviceRecord | null;
    }
  | { readonly type: 'claim'; readonly before: Claim | null; readonly after: Claim | null }
  /**
   * Everything is to be taken anew. `store-reread`: the store failed in the middle, or somebody else
   * wrote to it; what is different now is told after this. `consumer-slow`: this consumer was too slow
   * for its queue, and what waited in it was dropped.
   */
  | { readonly type: 'resync'; readonly reason: 'store-reread' | 'consumer-slow' };

export type TrackerEventOf<Type extends TrackerEvent['type']> = Extract<
  TrackerEvent,
  { readonly type: Type }
>;

/** Listeners by the type of event: each gets the event itself. */
export type TrackerEvents = { [Type in TrackerEvent['type']]: [TrackerEventOf<Type>] };
