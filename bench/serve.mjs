// @ts-check

/**
 * Makes this process a `Peer` of a benchmark.
 *
 * @param {() => number | Promise<number>} work one round; answers how many things it got
 */
export async function serve(work) {
  for await (const bytes of process.stdin) {
    for (const _ of bytes) {
      const started = performance.now();
      const count = await work();
      console.log(`${performance.now() - started} ${count}`);
    }
  }
}
