import { request } from 'undici';
import type { Accounts } from '../../src/api/auth/accounts.js';
import { newSecret } from '../../src/shared/ids.js';

export interface Ask {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  body?: object;
  headers?: Record<string, string>;
  /** Who asks; the owner of everything when nobody is named. */
  as?: string;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  json: unknown;
}

/** Asks an API, as its first user when nobody else is named. */
export function asking(url: string, token: string) {
  return async (path: string, { method, body, headers, as = token }: Ask = {}): Promise<Answer> => {
    const answer = await request(path.startsWith('http') ? path : `${url}/v1${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        authorization: `Basic ${Buffer.from(`:${as}`).toString('base64')}`,
        'content-type': 'application/json',
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
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
