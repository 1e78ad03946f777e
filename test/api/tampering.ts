import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { request } from 'undici';
import { z } from 'zod';
import type { RegionEntry } from '../../src/region/registry.js';
import { listeningPort } from '../../src/shared/listening-port.js';

/** Stands between a server and an agent, and changes what the agent says of itself. */
export class Tampering {
  /** Keys of what a verb answers, and what they are made to be. */
  readonly #edits = new Map<string, Record<string, unknown>>();
  readonly #servers: Server[] = [];

  /** What is asked of the region named, and answered. @returns where the server reaches it */
  async between(entry: RegionEntry): Promise<RegionEntry> {
    const server = createServer(async (incoming, outgoing) => {
      const edit = this.#edits.get(`${entry.name}${incoming.url}`);
      const { authorization, 'content-type': type, 'godwit-migration': by } = incoming.headers;
      const hasBody = incoming.method !== 'GET';
      const answer = await request(`${entry.url}${incoming.url}`, {
        method: z.enum(['GET', 'POST', 'PUT']).parse(incoming.method),
        headers: {
          ...{ authorization, 'content-type': type },
          ...(by !== undefined && { 'godwit-migration': by }),
        },
        body: hasBody ? incoming : null,
      }).catch(() => null);
      if (!answer) return void outgoing.destroy(); // the agent is away
      const text = await answer.body.text();
      outgoing.writeHead(answer.statusCode, { 'content-type': 'application/json' });
      outgoing.end(edit ? JSON.stringify({ ...JSON.parse(text), ...edit }) : text);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#servers.push(server);
    return { ...entry, url: `http://127.0.0.1:${listeningPort(server)}` };
  }

  /** From now on, beside what it was made to say before. */
  change(region: string, verb: string, edit: Record<string, unknown>): void {
    const key = `${region}/v1/${verb}`;
    this.#edits.set(key, { ...this.#edits.get(key), ...edit });
  }

  clear(): void {
    this.#edits.clear();
  }

  close(): void {
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
  }
}
