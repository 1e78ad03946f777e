import { z } from 'zod';
import type { Change, Tampering } from '../api/tampering.js';
import { Wire } from '../e2e/wire.js';
import type { Line } from './plan.js';

/** What a region says of where its database or its edge is, as the other region is to hear it. */
const databasePlace = z.looseObject({ port: z.number(), copyPort: z.number().optional() });
const edgePlace = z.looseObject({ address: z.string() });

/** For each piece of data that goes over a slow line, in milliseconds. */
const slowness = 100;

/** The network between two regions, and between the server and each of them. */
export class Lines {
  readonly #tampering: Tampering;
  /** By region and port. */
  readonly #wires = new Map<string, Wire>();
  readonly #harmed = new Set<string>();

  constructor(tampering: Tampering) {
    this.#tampering = tampering;
    tampering.answerTo = (change, answer) => this.#lead(change, answer);
  }

  /** @returns how it is mended; null when it is harmed already, or nothing has ever used it */
  harm(how: 'cut' | 'silence' | 'slow', region: string, line: Line): (() => Promise<void>) | null {
    const what = line.endsWith('control') ? 'control' : line.endsWith('data') ? 'data' : 'edge';
    const name = `${what} ${region}`;
    if (this.#harmed.has(name)) return null;
    const mends = what === 'control' ? [this.#control(how, region)] : this.#between(how, name);
    if (mends.length === 0) return null;
    this.#harmed.add(name);
    return async () => {
      for (const mend of mends) mend();
      this.#harmed.delete(name);
    };
  }

  close(): void {
    for (const wire of this.#wires.values()) wire.close();
  }

  /** Nothing of what the server asks is slow to travel: slowness is a short silence here. */
  #control(how: 'cut' | 'silence' | 'slow', region: string): () => void {
    return this.#tampering.cut(region, { refuses: how === 'cut' });
  }

  #between(how: 'cut' | 'silence' | 'slow', name: string): (() => void)[] {
    const wires = [...this.#wires].flatMap(([key, wire]) => (key.startsWith(name) ? wire : []));
    return wires.map((wire) => {
      if (how === 'cut') wire.cut();
      else if (how === 'silence') wire.hang();
      else wire.delay = slowness;
      return () => wire.mend();
    });
  }

  /** Has the other region come over a wire. */
  async #lead({ region, verb }: Change, answer: unknown): Promise<unknown> {
    if (verb === 'grantFollow') {
      const place = databasePlace.parse(answer);
      const led = async (port: number) => (await this.#wire(`data ${region}`, port)).port;
      return {
        ...{ ...place, port: await led(place.port) },
        ...(place.copyPort !== undefined && { copyPort: await led(place.copyPort) }),
      };
    }
    if (verb === 'grantForward') {
      const place = edgePlace.parse(answer);
      const port = Number(place.address.split(':').at(-1));
      const wire = await this.#wire(`edge ${region}`, port);
      return { ...place, address: `127.0.0.1:${wire.port}` };
    }
    return answer;
  }

  async #wire(name: string, port: number): Promise<Wire> {
    const key = `${name} ${port}`;
    const wire = this.#wires.get(key) ?? (await Wire.to(port));
    this.#wires.set(key, wire);
    return wire;
  }
}
