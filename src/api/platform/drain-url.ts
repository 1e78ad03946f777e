import { z } from 'zod';
import { Refusal } from '../../shared/errors.js';

/** What describes a log drain; which fields are wanted depends on the type. */
export const drainGiven = z.object({
  type: z.enum([
    'appsignal',
    'datadog',
    'ovh-graylog',
    'logentries',
    'papertrail',
    'syslog',
    'elk',
  ]),
  token: z.string().max(500).nullish(),
  host: z.string().max(253).nullish(),
  port: z.union([z.string(), z.number()]).nullish(),
  drain_region: z.string().max(100).nullish(),
  url: z.string().max(2_000).nullish(),
});
type DrainGiven = z.infer<typeof drainGiven>;

/**
 * The URL by which a log drain is known. It holds the drain's token.
 * @throws Refusal `invalid`, naming the field that the type lacks
 */
export function drainUrl(given: DrainGiven): string {
  const { type } = given;
  const token = () => encodeURIComponent(wanted(given, 'token'));
  switch (type) {
    case 'appsignal':
      return `appsignal://:${token()}@${hostOf(given)}:${portOf(given)}`;
    case 'datadog':
      return `datadog://${token()}?region=${encodeURIComponent(wanted(given, 'drain_region'))}`;
    case 'ovh-graylog':
      return `ovh://:${token()}@${hostOf(given)}:6514`;
    case 'logentries':
      return `logentries://${token()}`;
    case 'papertrail':
      return `papertrail://${hostOf(given)}:${portOf(given)}`;
    case 'syslog': {
      const login = given.token ? `:${token()}@` : '';
      return `syslog://${login}${hostOf(given)}:${portOf(given)}`;
    }
    case 'elk': {
      const url = wanted(given, 'url');
      if (URL.canParse(url) && /^(https?|elk):$/.test(new URL(url).protocol)) return url;
      throw Refusal.invalid('url', 'must be an http, https or elk address.');
    }
  }
}

/** Where a log drain leads, without what must be kept secret: tokens, and whatever is in a path. */
export function openPartOf(url: string): string {
  const { protocol, host } = new URL(url);
  // Of these, the token takes the place of a host.
  return ['datadog:', 'logentries:'].includes(protocol) ? `${protocol}//` : `${protocol}//${host}`;
}

type Field = 'token' | 'host' | 'drain_region' | 'url';

function wanted(given: DrainGiven, field: Field): string {
  const value = given[field];
  if (value) return value;
  throw Refusal.invalid(field, `must be given for a log drain of type ${given.type}.`);
}

function hostOf(given: DrainGiven): string {
  const host = wanted(given, 'host');
  if (/^[A-Za-z0-9._-]+$/.test(host)) return host;
  throw Refusal.invalid('host', 'must be a host name, such as logs.example.org.');
}

function portOf({ type, port }: DrainGiven): number {
  if (port === null || port === undefined || port === '') {
    throw Refusal.invalid('port', `must be given for a log drain of type ${type}.`);
  }
  const number = Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  throw Refusal.invalid('port', 'must be a number from 1 to 65535.');
}
