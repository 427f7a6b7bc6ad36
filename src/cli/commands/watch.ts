import type { Command } from '../command.js';
import { eventDocument } from '../documents/event-document.js';
import { inventoryDocument } from '../documents/inventory-document.js';
import { Interruption } from '../io.js';
import { eventLines, inventoryLines } from '../view/event-view.js';
import { milliseconds } from '../whole-number.js';

/** As long as a timer can be: it is there to be there. */
const longestMs = 2 ** 31 - 1;

export const command: Command = {
  name: 'watch',
  summary: 'what changes, as it changes, one event a line',
  usage: 'watch',
  description: [
    'Follows the host until SIGINT or SIGTERM, or until nobody reads on: first how it stands, then',
    'one line per event. With --json each line is one document. After a resync the host as it stands',
    'is printed again. A captured tree (--root) does not change and can not be followed. With --health',
    'the link of each network device is asked now and then, which waits for a guest that is changing',
    "the device's state, and every vDPA command of the host with it.",
  ].join('\n'),
  options: {
    health: {
      type: 'string',
      value: 'MS',
      help: 'also tell how devices fare; how long between two rounds (1 to 600000)',
    },
  },
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ host, printNext, terminal, signal, now, values }) {
    const { health } = values;
    const healthMs = typeof health === 'string' ? milliseconds('health', health, 'watch') : 0;
    // A watch keeps no process alive, and neither does waiting for it.
    const held = setInterval(() => {}, longestMs);
    try {
      const watch = await (await host()).watch({ signal, healthMs });
      try {
        // Before the inventory is taken: what changes after it is in here.
        const events = watch[Symbol.asyncIterator]();
        const printInventory = (): Promise<void> => {
          const { inventory } = watch;
          const time = now();
          return printNext({
            document: () => inventoryDocument(inventory, time),
            lines: () => inventoryLines(inventory, time, terminal),
          });
        };
        await printInventory();
        for await (const event of events) {
          const time = now();
          await printNext({
            document: () => eventDocument(event, time),
            lines: () => eventLines(event, time, terminal),
          });
          if (event.type === 'resync') await printInventory();
        }
      } finally {
        await watch.close();
      }
    } catch (error) {
      // To be interrupted is how this command ends.
      if (!(error instanceof Interruption)) throw error;
    } finally {
      clearInterval(held);
    }
    return 0;
  },
};
