import type { Inbound } from './inbound.js';

/** As much of a body comes unasked: what one reading of a socket gives, or a window of HTTP/2. */
const unasked = 65_536;

/** The most bytes that a request takes while nobody reads its body. */
export function weight({ url, headers, hasBody }: Pick<Inbound, 'url' | 'headers' | 'hasBody'>) {
  let head = url.length;
  for (const [name, values = []] of Object.entries(headers)) {
    for (const value of values) head += name.length + value.length;
  }
  if (!hasBody) return head;
  const length = Number(headers['content-length']?.[0] ?? unasked);
  return head + (length < unasked ? length : unasked);
}
