import { DBOS } from '@dbos-inc/dbos-sdk';
import { request } from 'undici';
import { z } from 'zod';
import type { Notifier } from '../region/attachments.js';
import type { App } from '../region/model.js';
import type { Registry } from '../region/registry.js';
import { messageOf, Refusal } from '../shared/errors.js';
import { derivedId } from '../shared/ids.js';
import type { Logger } from '../shared/logging.js';
import { type Event, presentEvent } from './event.js';
import type { EventLog } from './event-log.js';

/** Events that notifiers are told of. */
const types = ['start_region_migration', 'end_region_migration'];
/** How often, and after how many seconds, a webhook that does not answer well is tried again. */
const retries = { retriesAllowed: true, maxAttempts: 8, intervalSeconds: 1, backoffRate: 3 };
/** How long a webhook may take to answer, in milliseconds. */
const patience = 10_000;

/** With this header a webhook proves where it comes from. */
const signatureHeader = 'godwit-signature';

export interface WebhooksParts {
  readonly events: EventLog;
  readonly registry: Pick<Registry, 'all'>;
  /** Signs a text: a JSON Web Signature without the text itself (RFC 7515, appendix F). */
  readonly sign: (text: string) => Promise<string>;
  readonly logger: Logger;
}

/**
 * Tells the webhooks among an app's notifiers of events, durably and apart from everything else:
 * one workflow for each notifier of each event, so that none waits for another, tried again with
 * growing pauses.
 */
export class Webhooks {
  readonly #parts: WebhooksParts;
  readonly #tellAll: (event: Event) => Promise<void>;
  readonly #tellOne: (event: Event, notifier: string) => Promise<void>;

  constructor(parts: WebhooksParts) {
    this.#parts = parts;
    const forAsLongAsItTakes = { maxRecoveryAttempts: 1_000_000 };
    this.#tellOne = DBOS.registerWorkflow(
      async (event: Event, notifier: string) => {
        const send = () => this.#send(event, notifier);
        await DBOS.runStep(send, { name: 'send', ...retries }).catch((error) => {
          parts.logger.warn({ err: error, notifier, event: event.id }, 'cannot be told');
        });
      },
      { name: 'tell notifier', ...forAsLongAsItTakes },
    );
    this.#tellAll = DBOS.registerWorkflow(
      async (event: Event) => {
        const wanting = await DBOS.runStep(() => this.#wanting(event), { name: 'who', ...retries });
        for (const id of wanting) {
          const workflowID = `event/${event.id}/${id}`;
          await DBOS.startWorkflow(this.#tellOne, { workflowID })(event, id);
        }
      },
      { name: 'tell of event', ...forAsLongAsItTakes },
    );
  }

  /** Begins to tell of what has happened since. For whoever runs the workflows. */
  async dispatch(): Promise<void> {
    const { events } = this.#parts;
    for (const event of await events.untold(types)) {
      await DBOS.startWorkflow(this.#tellAll, { workflowID: `event/${event.id}` })(event);
      await events.markTold(event.id);
    }
  }

  /** Tells one webhook, once and now. @throws Refusal `invalid` when it cannot be told, and why */
  async tryOut(event: Event, notifier: string): Promise<void> {
    await this.#send(event, notifier).catch((error) => {
      throw Refusal.invalid('webhook_url', `The webhook cannot be told: ${messageOf(error)}`);
    });
  }

  /** The ids alone: addresses may hold secrets, and what a step gives is written down. */
  async #wanting({ appId, type }: Event): Promise<string[]> {
    const typeId = derivedId('event type', type);
    const notifiers = (await this.#app(appId))?.notifiers ?? [];
    return notifiers
      .filter((notifier) => notifier.active && notifier.type === 'webhook')
      .filter(
        ({ sendAllEvents, selectedEvents }) => sendAllEvents || selectedEvents.includes(typeId),
      )
      .map(({ id }) => id);
  }

  /** @throws when it is not there or does not answer with a success */
  async #send(event: Event, id: string): Promise<void> {
    const notifier = (await this.#app(event.appId))?.notifiers.find((one) => one.id === id);
    const address = notifier && addressOf(notifier);
    if (!address) return; // removed meanwhile
    const text = JSON.stringify(presentEvent(event));
    const answer = await request(address, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'godwit',
        [signatureHeader]: await this.#parts.sign(text),
      },
      body: text,
      headersTimeout: patience,
      bodyTimeout: patience,
    });
    await answer.body.dump();
    if (answer.statusCode >= 300) throw new Error(`The webhook answered ${answer.statusCode}.`);
  }

  /** An app by its id, in whichever region it is. @throws when none has it and one of them is away */
  async #app(id: string): Promise<App | null> {
    const looks = await Promise.allSettled(
      this.#parts.registry.all().map((region) => region.findApp({ ref: id })),
    );
    const found = looks.find((look) => look.status === 'fulfilled' && look.value !== null);
    const failed = looks.find((look) => look.status === 'rejected');
    if (found?.status === 'fulfilled') return found.value;
    if (failed) throw failed.reason;
    return null;
  }
}

function addressOf({ typeData }: Notifier): string | null {
  const { success, data } = z.object({ webhook_url: z.url() }).safeParse(typeData);
  return success ? data.webhook_url : null;
}
