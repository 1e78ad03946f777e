import { Readable } from 'node:stream';
import pRetry from 'p-retry';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { Refusal, type RefusalKind, statusOf } from '../shared/errors.js';
import { Outage } from './outage.js';
import { Pulse } from './pulse.js';
import {
  type Behalf,
  type InputOf,
  type OutputOf,
  type Region,
  type VerbName,
  type Verbs,
  verbNamed,
} from './region.js';

export interface AgentAddress {
  readonly name: string;
  /** Such as `http://10.0.0.5:4100`. */
  readonly url: string;
  /** What the agent lets the control plane in with. */
  readonly token: string;
}

interface Asker extends Behalf {
  readonly migration: string;
}

/**
 * For how long an agent that cannot be reached is tried again, if nothing else is said, in milliseconds from
 * when it was first missed: several calls together do not wait for it longer than one.
 */
const patience = { migration: 20_000, owner: 2_000 };

/**
 * How long a region may take to begin its answer to what owners look at, in milliseconds. Other
 * verbs take as long as they take.
 */
const deadlines: Partial<Record<VerbName, number>> = {
  ...{ describe: 10_000, listApps: 10_000, findApp: 10_000, health: 10_000, logs: 10_000 },
  ...{ listDeployments: 10_000, findOperation: 10_000 },
  // Waits for news by design, for up to a minute.
  logsAfter: 70_000,
};

/** What is sent to an agent, and for how long it may be silent about it; in milliseconds, 0 for ever. */
interface Message {
  readonly body: string | Readable;
  readonly deadline: number;
}

/** What an agent answered. */
interface Said {
  readonly status: number;
  readonly text: string;
}

const refusal = z.object({
  kind: z.custom<RefusalKind>((kind) => typeof kind === 'string' && Object.hasOwn(statusOf, kind)),
  message: z.string(),
  details: z.object({
    resource: z.string().optional(),
    code: z.string().optional(),
    fields: z.record(z.string(), z.array(z.string())).optional(),
  }),
});

const dispatcher = new Agent({
  ...{ headersTimeout: 0, bodyTimeout: 0, connectTimeout: 5_000 },
  // A way that is gone is noticed by who connects. On a connection that was idle meanwhile, the answer would be waited for.
  keepAliveMaxTimeout: 5_000,
});

/** What all who ask one agent share. */
interface Contact {
  readonly outage: Outage;
  readonly pulse: Pulse;
}

function contactOf({ url }: AgentAddress): Contact {
  const pulse = new Pulse(async (signal) => {
    const { body } = await request(`${url}/healthz`, { dispatcher, signal });
    await body.dump({ limit: 1_024 });
  });
  return { outage: new Outage(), pulse };
}

/** A region whose agent is reached over HTTP. An agent that restarts is waited for. */
export class AgentClient implements Region {
  readonly name: string;
  readonly #address: AgentAddress;
  readonly #behalf: Asker | null;
  readonly #contact: Contact;

  constructor(
    address: AgentAddress,
    behalf: Asker | null = null,
    contact: Contact = contactOf(address),
  ) {
    this.name = address.name;
    this.#address = address;
    this.#behalf = behalf;
    this.#contact = contact;
  }

  readonly describe = this.#verb('describe');
  readonly listApps = this.#verb('listApps');
  readonly findApp = this.#verb('findApp');
  readonly health = this.#verb('health');
  readonly logs = this.#verb('logs');
  readonly logsAfter = this.#verb('logsAfter');
  readonly listDeployments = this.#verb('listDeployments');
  readonly verifyBuild = this.#verb('verifyBuild');
  readonly memoryOf = this.#verb('memoryOf');
  readonly room = this.#verb('room');
  readonly offerProbe = this.#verb('offerProbe');
  readonly reach = this.#verb('reach');
  readonly takeSample = this.#verb('takeSample');
  readonly findOperation = this.#verb('findOperation');
  readonly createApp = this.#verb('createApp');
  readonly deleteApp = this.#verb('deleteApp');
  readonly renameApp = this.#verb('renameApp');
  readonly setSettings = this.#verb('setSettings');
  readonly transferApp = this.#verb('transferApp');
  readonly changeVariables = this.#verb('changeVariables');
  readonly scale = this.#verb('scale');
  readonly addDomain = this.#verb('addDomain');
  readonly removeDomain = this.#verb('removeDomain');
  readonly setCertificate = this.#verb('setCertificate');
  readonly setCanonicalDomain = this.#verb('setCanonicalDomain');
  readonly attach = this.#verb('attach');
  readonly detach = this.#verb('detach');
  readonly start = this.#verb('start');
  readonly warm = this.#verb('warm');
  readonly stop = this.#verb('stop');
  readonly restart = this.#verb('restart');
  readonly freeze = this.#verb('freeze');
  readonly thaw = this.#verb('thaw');
  readonly deploy = this.#verb('deploy');
  readonly purgeCache = this.#verb('purgeCache');
  readonly grantBuild = this.#verb('grantBuild');
  readonly fetchBuild = this.#verb('fetchBuild');
  readonly addAddon = this.#verb('addAddon');
  readonly removeAddon = this.#verb('removeAddon');
  readonly provides = this.#verb('provides');
  readonly inspect = this.#verb('inspect');
  readonly grantFollow = this.#verb('grantFollow');
  readonly revokeFollow = this.#verb('revokeFollow');
  readonly follow = this.#verb('follow');
  readonly following = this.#verb('following');
  readonly flush = this.#verb('flush');
  readonly position = this.#verb('position');
  readonly contents = this.#verb('contents');
  readonly digest = this.#verb('digest');
  readonly waitFor = this.#verb('waitFor');
  readonly fence = this.#verb('fence');
  readonly unfence = this.#verb('unfence');
  readonly promote = this.#verb('promote');
  readonly followBack = this.#verb('followBack');
  readonly standDown = this.#verb('standDown');
  readonly hold = this.#verb('hold');
  readonly serve = this.#verb('serve');
  readonly hide = this.#verb('hide');
  readonly revokeForward = this.#verb('revokeForward');
  readonly leaveForward = this.#verb('leaveForward');
  readonly grantForward = this.#verb('grantForward');
  readonly forward = this.#verb('forward');
  readonly holdReport = this.#verb('holdReport');

  onBehalfOf(migration: string, how: Behalf = {}): Region {
    return new AgentClient(this.#address, { ...how, migration }, this.#contact);
  }

  async storeSource(source: string, archive: NodeJS.ReadableStream): Promise<void> {
    const answer = await this.#send('PUT', `/v1/sources/${source}`, {
      ...{ body: Readable.from(archive), deadline: 0 },
    }).catch((error) => {
      throw this.#refusalFor(error);
    });
    this.#parse(answer);
  }

  #verb<V extends VerbName>(name: V) {
    return async (input: InputOf<Verbs[V]>): Promise<OutputOf<Verbs[V]>> => {
      const body = JSON.stringify(input);
      const deadline = this.#behalf ? 0 : (deadlines[name] ?? 0);
      const patient = this.#behalf ? (this.#behalf.patience ?? patience.migration) : patience.owner;
      const answer = await pRetry(() => this.#send('POST', `/v1/${name}`, { body, deadline }), {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 50,
        maxTimeout: 500,
        ...(this.#behalf?.signal && { signal: this.#behalf.signal }),
        // What a migration asks for may be asked for twice; what an owner does, only before it was heard.
        shouldRetry: ({ error }) => {
          if (!(this.#behalf ? isUnreachable(error) : isUnheard(error))) return false;
          return this.#contact.outage.missed() < patient;
        },
      }).catch((error) => {
        throw this.#refusalFor(error);
      });
      return verbNamed(name).output.parse(this.#parse(answer));
    };
  }

  #send(method: 'POST' | 'PUT', path: string, message: Message): Promise<Said> {
    return this.#contact.pulse.during((silence) => this.#ask(method, path, message, silence));
  }

  async #ask(
    method: 'POST' | 'PUT',
    path: string,
    { body, deadline }: Message,
    silence: AbortSignal,
  ): Promise<Said> {
    const { url, token } = this.#address;
    const signal = this.#behalf?.signal;
    const answer = await request(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': method === 'POST' ? 'application/json' : 'application/gzip',
        ...(this.#behalf && { 'godwit-migration': this.#behalf.migration }),
        ...(this.#behalf?.turn !== undefined && { 'godwit-turn': String(this.#behalf.turn) }),
      },
      body,
      dispatcher,
      headersTimeout: deadline,
      bodyTimeout: deadline,
      signal: signal ? AbortSignal.any([signal, silence]) : silence,
    });
    const text = await answer.body.text();
    this.#contact.outage.over();
    return { status: answer.statusCode, text };
  }

  #parse({ status, text }: Said): unknown {
    const json: unknown = JSON.parse(text);
    if (status < 300) return json;
    const { success, data } = refusal.safeParse(json);
    // What an agent does not understand was never said by a client: it is this control plane's fault.
    if (success && data.kind === 'bad-request') {
      throw new Error(`Region ${this.name} did not understand: ${data.message}`);
    }
    if (success) throw new Refusal(data.kind, data.message, data.details);
    throw new Error(`Region ${this.name} failed (${status}); the log of its agent says how.`);
  }

  /** What is thrown for an error of the connection. */
  #refusalFor(error: unknown): unknown {
    if (isUnreachable(error)) {
      const what = `Region ${this.name} cannot be reached. Start its agent, then try again.`;
      return new Refusal('unavailable', what);
    }
    if (codes.silent.includes(codeOf(error))) {
      const what = `Region ${this.name} does not answer. Look at the log of its agent, then try again.`;
      return new Refusal('unavailable', what);
    }
    return error;
  }
}

const codes = {
  unheard: ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'UND_ERR_CONNECT_TIMEOUT'],
  silent: ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'],
  brokenOff: ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'UND_ERR_SOCKET'],
};

/** Whether the agent cannot have heard of the request. */
function isUnheard(error: unknown): boolean {
  return codes.unheard.includes(codeOf(error));
}

function isUnreachable(error: unknown): boolean {
  return isUnheard(error) || codes.brokenOff.includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
