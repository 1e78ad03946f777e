import { type Dispatcher, request } from 'undici';
import type { Accounts } from '../../src/api/auth/accounts.js';
import { newSecret } from '../../src/shared/ids.js';

export interface Ask {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as it is when it is a text, or else as JSON. */
  body?: object | string;
  headers?: Record<string, string>;
  /** Who asks; the owner of everything when nobody is named. */
  as?: string;
  /** Where connections come from. */
  from?: Dispatcher;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  json: unknown;
}

/** What can be asked of an API. */
export interface Asks {
  readonly ask: ReturnType<typeof asking>;
}

/** What shows a token. */
export const basic = (token: string, user = '') =>
  `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`;

/** Asks an API, as its first user when nobody else is named. */
export function asking(url: string, token: string) {
  return async (
    path: string,
    { method, body, headers, as = token, from }: Ask = {},
  ): Promise<Answer> => {
    const answer = await request(path.startsWith('http') ? path : `${url}/v1${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        authorization: basic(as),
        'content-type': 'application/json',
        ...headers,
      },
      body: typeof body === 'object' ? JSON.stringify(body) : (body ?? null),
      ...(from && { dispatcher: from }),
    });
    const text = await answer.body.text();
    const isJson = String(answer.headers['content-type']).startsWith('application/json');
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text,
      json: isJson ? JSON.parse(text) : null,
    };
  };
}

/** Makes accounts. */
export function joining(accounts: Accounts) {
  return async (username: string): Promise<string> => {
    const made = newSecret();
    await accounts.ensureUser({ username, email: `${username}@example.org` }, made);
    return made;
  };
}
