/** What the first line of a request of HTTP/1 asks for. */
interface RequestTarget {
  /** Path and query, or `*`. */
  readonly url: string;
  /** That the line itself names; null when the Host header has the say. */
  readonly host: string | null;
}

/**
 * Reads a target in origin-form, in absolute-form, as one to a proxy is, or in asterisk-form (RFC
 * 9112, section 3.2).
 * @returns null when it is none of them
 */
export function requestTarget(method: string, given: string): RequestTarget | null {
  if (given.startsWith('/') || given === '*') return { url: given, host: null };
  const [, authority = '', rest = ''] = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(given) ?? [];
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (host === '') return null;
  if (rest === '' && method === 'OPTIONS') return { url: '*', host };
  return { url: rest.startsWith('/') ? rest : `/${rest}`, host };
}
