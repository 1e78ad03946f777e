import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { listeningPort } from '../../shared/listening-port.js';
import type { Witnessed } from './entry.js';

const told = z.object({ client: z.string(), number: z.number() });

/** Hears from the application's worker, which no client sees, of each entry that is safe. */
export class Witness {
  readonly #host: string;
  readonly #server: Server;
  readonly #heard: Witnessed[] = [];

  private constructor(host: string) {
    this.#host = host;
    this.#server = createServer(async (request, response) => {
      this.#heard.push(told.parse(JSON.parse(await text(request))));
      response.end();
    });
  }

  /** @param host by which the worker reaches it */
  static async listen(host = '127.0.0.1'): Promise<Witness> {
    const witness = new Witness(host);
    witness.#server.listen(0, host);
    await once(witness.#server, 'listening');
    return witness;
  }

  /** Where the worker tells it. */
  get url(): string {
    return `http://${this.#host}:${listeningPort(this.#server)}`;
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
