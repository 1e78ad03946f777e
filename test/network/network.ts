import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { Place } from '../e2e/run-pieces.js';

/** What a line between two regions is like. */
export interface Quality {
  /** Of a packet, one way, in milliseconds. */
  readonly delay: number;
  /** Of packets, from 0 to 1. */
  readonly loss: number;
  /** In bits a second, each way. */
  readonly rate: number;
  /** Bytes that may wait to be sent; what finds no room is lost. */
  readonly queue: number;
}

/** By which way this side reaches the region `there`. */
export type Standing = 'beside-here' | 'apart';

interface Site {
  readonly namespace: string;
  /** Its end of the line between the regions. */
  readonly line: string;
  readonly host: string;
  /** The two ends of its way to this side, which nothing happens to. */
  readonly way: { readonly device: string; readonly inside: string; readonly outside: string };
}

const sites: Record<'here' | 'there', Site> = {
  here: {
    ...{ namespace: 'godwit-here', line: 'gw-line-here', host: '10.77.0.1' },
    way: { device: 'gw-way-here', inside: '10.77.1.2', outside: '10.77.1.1' },
  },
  there: {
    ...{ namespace: 'godwit-there', line: 'gw-line-there', host: '10.77.0.2' },
    way: { device: 'gw-way-there', inside: '10.77.2.2', outside: '10.77.2.1' },
  },
};

/**
 * Two regions, each in a network namespace of its own, with a line between them as between places far
 * apart (`link.pl`), which can be cut. This side, where control plane and clients are, stands beside
 * `here` and reaches `there` over that line, or apart from both, with a good way to each. It takes root,
 * and since its names and addresses are fixed there is one at a time.
 */
export class Network {
  readonly places: Record<'here' | 'there', Place> = {
    here: placeAt(sites.here),
    there: placeAt(sites.there),
  };
  /** An address of this side that both regions reach whatever happens to the line. */
  readonly outside = sites.there.way.outside;
  readonly #link: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  private constructor(link: ChildProcess, answers: AsyncIterator<string>) {
    this.#link = link;
    this.#answers = answers;
  }

  /** @param seed of what is lost */
  static async make({ delay, loss, rate, queue }: Quality, seed: number): Promise<Network> {
    await removeNamespaces(); // of one that was killed
    const { here, there } = sites;
    const link = spawn(
      'perl',
      [
        ...[join(import.meta.dirname, 'link.pl'), here.line, there.line],
        ...[delay, loss, rate, queue, seed].map(String),
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const answers = createInterface(link.stdout)[Symbol.asyncIterator]();
    const network = new Network(link, answers);
    await network.#hear('ready');
    for (const site of [here, there]) await build(site);
    await within(here, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    // What comes over the line is answered over the line; nothing else of this side's is near.
    await within(there, 'ip', 'route', 'add', here.way.outside, 'via', here.host);
    await within(here, 'ip', 'route', 'add', there.way.outside, 'via', here.way.outside);
    await ip('route', 'replace', here.host, 'via', here.way.inside);
    await network.stand('beside-here');
    return network;
  }

  /** Changes the way by which this side reaches `there`. */
  async stand(standing: Standing): Promise<void> {
    const { here, there } = sites;
    const next = standing === 'apart' ? there : here;
    await ip('route', 'replace', there.host, 'via', next.way.inside);
  }

  /** From now on nothing comes through, in silence. */
  cut(): Promise<void> {
    return this.#tell('cut');
  }

  mend(): Promise<void> {
    return this.#tell('mend');
  }

  /** To be called when nothing runs in the regions any more. */
  async close(): Promise<void> {
    const ended = once(this.#link, 'exit');
    this.#link.stdin?.end();
    await ended;
    await removeNamespaces();
  }

  async #tell(word: string): Promise<void> {
    this.#link.stdin?.write(`${word}\n`);
    await this.#hear(word);
  }

  async #hear(word: string): Promise<void> {
    const { value } = await this.#answers.next();
    if (value !== word) throw new Error(`The line between the regions said "${value}".`);
  }
}

function placeAt({ host, namespace }: Site): Place {
  return { host, within: ['ip', 'netns', 'exec', namespace] };
}

async function build(site: Site): Promise<void> {
  const { namespace, line, host, way } = site;
  await ip('netns', 'add', namespace);
  await ip('link', 'set', line, 'netns', namespace);
  await ip('link', 'add', way.device, 'type', 'veth', 'peer', 'outside', 'netns', namespace);
  await ip('addr', 'add', `${way.outside}/30`, 'dev', way.device);
  await ip('link', 'set', way.device, 'up');
  const inside = (...words: string[]) => within(site, 'ip', ...words);
  await inside('link', 'set', 'lo', 'up');
  await inside('addr', 'add', `${host}/30`, 'dev', line);
  // Whatever comes at once waits for the program to take it: losing is its business.
  await inside('link', 'set', line, 'txqueuelen', '5000', 'up');
  await inside('addr', 'add', `${way.inside}/30`, 'dev', 'outside');
  await inside('link', 'set', 'outside', 'up');
}

/** Those that are there. */
async function removeNamespaces(): Promise<void> {
  for (const { namespace, way } of Object.values(sites)) {
    await ip('link', 'del', way.device).catch(() => undefined);
    await ip('netns', 'del', namespace).catch(() => undefined);
  }
}

async function within({ namespace }: Site, ...words: string[]): Promise<void> {
  await ip('netns', 'exec', namespace, ...words);
}

async function ip(...words: string[]): Promise<void> {
  await promisify(execFile)('ip', words);
}
