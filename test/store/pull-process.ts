/** A process of its own that pulls one model: `node pull-process.js OPTIONS NAME`. Prints `progress` once, then `done`. */
import { openStore, type StoreOptions } from '../../src/store/store.ts';

const store = openStore(JSON.parse(process.argv[2]!) as StoreOptions);
let hasReported = false;
await store.pull(process.argv[3]!, {
  onProgress: ({ file, doneBytes }) => {
    if (hasReported || file !== 'model.bin' || doneBytes < 100_000) return;
    hasReported = true;
    process.stdout.write('progress\n');
  },
});
process.stdout.write('done\n');
await store.close();
