import { Refusal } from '../shared/errors.js';

/** How many objects and arrays may be in one another. */
const deepest = 100;

/**
 * Reads the JSON of a request.
 * @throws Refusal `bad-request` for what is none, or cannot be kept
 */
export function readJson(text: string): unknown {
  requireShallow(text);
  try {
    return JSON.parse(text, (key, value) => {
      requireText(key, 'body');
      if (typeof value === 'string') requireText(value, 'body');
      return value;
    });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal('bad-request', 'The body is not JSON. Send a JSON object.');
  }
}

/**
 * PostgreSQL keeps no text with a NUL character or half of a surrogate pair, and no name has one.
 * @throws Refusal `bad-request`
 */
export function requireText(text: string, where: string): void {
  if (!text.includes('\0') && text.isWellFormed()) return;
  throw new Refusal(
    'bad-request',
    `The ${where} has a NUL character or half of a surrogate pair. Leave it out.`,
  );
}

/**
 * Nothing that is asked for is deep, and what reads it need not cope with what is.
 * @throws Refusal `bad-request`
 */
export function requireShallow(text: string): void {
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') isInString = !isInString;
    else if (isInString) at += character === '\\' ? 1 : 0;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth > deepest) {
      const what = `The body has more than ${deepest} levels of objects and arrays. Send fewer.`;
      throw new Refusal('bad-request', what);
    }
  }
}
