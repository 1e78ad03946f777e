import type { App } from '../../region/model.js';
import type { Attachment, AttachmentKind } from '../../region/region.js';
import type { Behalf, Performs } from '../verbs.js';
import type { AppHost } from './app-host.js';
import type { AppRecord } from './record.js';
import type { Shelf } from './shelf.js';

type Verbs = Performs<'attach' | 'detach'>;

/** What owners attach to apps: collaborators, notifiers, alerts and so on. One at a time, so that none is lost. */
export class Attachments implements Verbs {
  readonly #shelf: Shelf;
  readonly #host: AppHost;

  constructor(parts: { shelf: Shelf; host: AppHost }) {
    this.#shelf = parts.shelf;
    this.#host = parts.host;
  }

  attach(input: { app: string; attachment: Attachment }, by: Behalf): Promise<App> {
    return this.#change(input.app, by, (record) => withAttachment(record, input.attachment));
  }

  detach(input: { app: string; kind: AttachmentKind; id: string }, by: Behalf): Promise<App> {
    return this.#change(input.app, by, (record) => withoutAttachment(record, input.kind, input.id));
  }

  async #change(app: string, by: Behalf, edit: (record: AppRecord) => AppRecord): Promise<App> {
    return this.#host.present(await this.#shelf.change(app, by, edit));
  }
}

function withAttachment(record: AppRecord, { kind, item }: Attachment): AppRecord {
  switch (kind) {
    case 'collaborator':
      return { ...record, collaborators: put(record.collaborators, item) };
    case 'notifier':
      return { ...record, notifiers: put(record.notifiers, item) };
    case 'alert':
      return { ...record, alerts: put(record.alerts, item) };
    case 'logDrain':
      return { ...record, logDrains: put(record.logDrains, item) };
    case 'autoscaler':
      return { ...record, autoscalers: put(record.autoscalers, item) };
    case 'scmLink':
      return { ...record, scmLink: item };
  }
}

function withoutAttachment(record: AppRecord, kind: AttachmentKind, id: string): AppRecord {
  switch (kind) {
    case 'collaborator':
      return { ...record, collaborators: drop(record.collaborators, id) };
    case 'notifier': {
      // An alert names the notifiers that it tells.
      const alerts = record.alerts.map((alert) => ({
        ...alert,
        notifiers: alert.notifiers.filter((notifier) => notifier !== id),
      }));
      return { ...record, notifiers: drop(record.notifiers, id), alerts };
    }
    case 'alert':
      return { ...record, alerts: drop(record.alerts, id) };
    case 'logDrain':
      return { ...record, logDrains: drop(record.logDrains, id) };
    case 'autoscaler':
      return { ...record, autoscalers: drop(record.autoscalers, id) };
    case 'scmLink':
      return record.scmLink?.id === id ? { ...record, scmLink: null } : record;
  }
}

interface Item {
  readonly id: string;
}

function put<T extends Item>(all: readonly T[], item: T): T[] {
  if (!all.some(({ id }) => id === item.id)) return [...all, item];
  return all.map((one) => (one.id === item.id ? item : one));
}

function drop<T extends Item>(all: readonly T[], id: string): T[] {
  return all.filter((one) => one.id !== id);
}
