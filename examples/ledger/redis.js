import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@redis/client';

const list = 'entries';

// What is asked while it is away waits; what was asked before that fails, since nobody knows how far it came.
const client = createClient({
  url: process.env.SCALINGO_REDIS_URL,
  socket: { reconnectStrategy: 50 },
});
client.on('error', (error) => console.error(`a connection broke: ${error.message}`));

export async function prepare() {
  await client.connect();
}

export async function add({ client: writer, number }) {
  await whenLoaded(() => client.rPush(list, JSON.stringify({ client: writer, number })));
}

/** The place in the list tells the order in which they were received. */
export async function receivedAfter(received, limit) {
  const found = await whenLoaded(() => client.lRange(list, received, received + limit - 1));
  return found.map((text, index) => ({ received: received + index + 1, ...JSON.parse(text) }));
}

export async function close() {
  await client.close();
}

/** A Redis that was just started reads its log before it does anything. */
async function whenLoaded(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!/^LOADING/.test(error.message)) throw error;
      await sleep(20);
    }
  }
}
