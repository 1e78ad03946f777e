import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentClient } from '../../src/region/agent-client.js';
import { newId, newSecret } from '../../src/shared/ids.js';
import { listeningPort } from '../../src/shared/listening-port.js';

/** Hears everything and answers nothing. */
let mute: Server;
let client: AgentClient;

beforeAll(async () => {
  mute = createServer().listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const url = `http://127.0.0.1:${listeningPort(mute)}`;
  client = new AgentClient({ name: 'mute', url, token: newSecret() });
});
afterAll(() => {
  mute.closeAllConnections();
  mute.close();
});

it('gives up on an agent that does not answer what an owner looks at, naming the region', async () => {
  const looks = [
    client.listApps({}),
    client.findApp({ ref: 'x' }),
    client.health({ app: newId() }),
  ];
  for (const look of await Promise.allSettled(looks)) {
    expect(look).toMatchObject({
      status: 'rejected',
      reason: { kind: 'unavailable', message: expect.stringContaining('Region mute') },
    });
  }
});
