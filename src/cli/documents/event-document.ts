import type { HostEvent, ManagementDevice } from '../../index.js';
import { type Document, schemaVersion } from './document.js';
import { errorBody } from './error-document.js';
import { managementDeviceJson } from './host-json.js';

export interface EventDocument extends Document<'event'> {
  /** When it was printed: ISO 8601, UTC. */
  readonly time: string;
  readonly event: ReturnType<typeof eventJson>;
}

export function eventDocument(event: HostEvent, time: Date): EventDocument {
  return { schemaVersion, kind: 'event', time: time.toISOString(), event: eventJson(event) };
}

/** The event as it is, but for what JSON has not. */
function eventJson(event: HostEvent) {
  if (event.type === 'stale') return { ...event, error: errorBody(event.error) };
  if (event.type !== 'managementDevice') return event;
  const json = (one: ManagementDevice | null) => (one === null ? null : managementDeviceJson(one));
  return {
    ...event,
    managementDevice: json(event.managementDevice),
    before: json(event.before),
  };
}
