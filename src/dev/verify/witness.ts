import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { listeningPort } from '../../shared/listening-port.js';
import type { Witnessed } from './entry.js';

const told = z.object({ client: z.string(), number: z.number() });

/** Hears from the application's worker, which no client sees, of each entry that is safe. */
export class Witness {
  readonly #server: Server;
  readonly #heard: Witnessed[] = [];

  private constructor() {
    this.#server = createServer(async (request, response) => {
      this.#heard.push(told.parse(JSON.parse(await text(request))));
      response.end();
    });
  }

  static async listen(): Promise<Witness> {
    const witness = new Witness();
    witness.#server.listen(0, '127.0.0.1');
    await once(witness.#server, 'listening');
    return witness;
  }

  /** Where the worker tells it, if it runs on this machine. */
  get url(): string {
    return `http://127.0.0.1:${listeningPort(this.#server)}`;
  }

  /** All that was heard so far. */
  get heard(): readonly Witnessed[] {
    return [...this.#heard];
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
