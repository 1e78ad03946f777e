import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { pool, prepareSchema } from './db.js';
import { add, after, find, latest, species, stats, totals } from './sightings.js';
import { page } from './views.js';

/** An answer other than 200. */
class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function readBody(request, longest = 64 * 1024) {
  const pieces = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > longest) throw new HttpError(413, 'The body is too large.');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, 'The body is not JSON.');
  }
}

/** A sighting that may be written. */
function checked({ client, number, species, place, birds, note = '' } = {}) {
  const whole = (value) => Number.isSafeInteger(Number(value)) && Number(value) > 0;
  const text = (value, longest) => typeof value === 'string' && value.length <= longest;
  if (!text(client, 100) || client === '') throw new HttpError(422, 'client must be a text.');
  if (!whole(number)) throw new HttpError(422, 'number must be a positive whole number.');
  if (!whole(species)) throw new HttpError(422, 'species must be the id of one.');
  if (!text(place, 100) || place === '') throw new HttpError(422, 'place must be a text.');
  if (!whole(birds) || birds > 1_000_000) throw new HttpError(422, 'birds must be 1 to 1000000.');
  if (!text(note, 1_000)) throw new HttpError(422, 'note must be a text.');
  return { client, number, speciesId: Number(species), place, birds: Number(birds), note };
}

const between = (value, lowest, highest, otherwise) => {
  const given = Number(value ?? otherwise);
  return Number.isSafeInteger(given) ? Math.min(Math.max(given, lowest), highest) : otherwise;
};

const routes = [
  ['GET', /^\/healthz$/, async () => json(200, { status: 'ok' })],
  [
    'GET',
    /^\/$/,
    async () => {
      const [last, counted, known] = await Promise.all([latest(25), totals(), species()]);
      return html(page({ latest: last, totals: counted, species: known }));
    },
  ],
  [
    'POST',
    /^\/sightings$/,
    async ({ request }) => {
      const form = Object.fromEntries(new URLSearchParams(await readBody(request)));
      await add(checked({ ...form, client: `page-${randomUUID()}`, number: 1 }));
      return { status: 303, headers: { location: '/' }, body: '' };
    },
  ],
  [
    'GET',
    /^\/api\/sightings$/,
    async ({ query }) => {
      const limit = between(query.get('limit'), 1, 1_000, 50);
      const from = query.get('after');
      return json(
        200,
        from === null ? await latest(limit) : await after(between(from, 0, 2 ** 52, 0), limit),
      );
    },
  ],
  [
    'POST',
    /^\/api\/sightings$/,
    async ({ request }) => json(201, await add(checked(readJson(await readBody(request))))),
  ],
  [
    'GET',
    /^\/api\/sightings\/([^/]+)\/(\d{1,15})$/,
    async ({ params: [client, number] }) => {
      const found = await find(decodeURIComponent(client), number);
      if (!found) throw new HttpError(404, 'There is no such sighting.');
      return json(200, found);
    },
  ],
  ['GET', /^\/api\/stats$/, async () => json(200, await stats())],
];

const json = (status, value) => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});
const html = (body) => ({
  status: 200,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body,
});

async function answer(request) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  for (const [method, path, handle] of routes) {
    const match = path.exec(pathname);
    if (match && method === request.method) {
      return handle({ request, query: searchParams, params: match.slice(1) });
    }
  }
  throw new HttpError(404, 'There is no such page.');
}

const server = createServer(async (request, response) => {
  try {
    const { status, headers, body } = await answer(request);
    response.writeHead(status, headers).end(body);
  } catch (error) {
    const status = error.status ?? (error.code === '23503' ? 422 : 500);
    if (status === 500) console.error(error);
    const message = status === 500 ? 'Something went wrong; the log says what.' : error.message;
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify({ error: message }));
  }
});

/** Requests that are being answered are answered to their end. */
process.on('SIGTERM', () => {
  server.close(async () => {
    await pool.end();
    process.exit(0);
  });
  server.closeIdleConnections();
});

await prepareSchema();
server.listen(Number(process.env.PORT), () => console.log(`listening on ${process.env.PORT}`));
