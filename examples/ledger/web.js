import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { add, close, copiesReceivedAfter, last, open, receivedAfter } from './entries.js';

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
  return Buffer.concat(pieces);
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, 'That is not JSON.');
  }
}

const isWhole = (value) => Number.isSafeInteger(value) && value > 0;

/** An entry that may be written. */
function checked({ client, number, after = null } = {}) {
  if (typeof client !== 'string' || client === '' || client.length > 100) {
    throw new HttpError(422, 'client must be a text.');
  }
  if (!isWhole(number)) throw new HttpError(422, 'number must be a positive whole number.');
  if (after !== null && !isWhole(after)) throw new HttpError(422, 'after must be a number.');
  return { client, number, after };
}

const named = ([client, number], query) =>
  checked({
    client: decodeURIComponent(client),
    number: Number(number),
    after: query.has('after') ? Number(query.get('after')) : null,
  });

const pageOf = (query) => [
  Number(query.get('after')) || 0,
  Math.min(Math.max(Number(query.get('limit')) || 1_000, 1), 10_000),
];

const routes = [
  ['GET', /^\/healthz$/, async () => [200, { status: 'ok' }]],
  [
    'POST',
    /^\/entries$/,
    async ({ request }) => {
      const entry = checked(readJson((await readBody(request)).toString()));
      await add({ ...entry, via: 'post' });
      return [201, entry];
    },
  ],
  [
    'PUT',
    /^\/entries\/([^/]+)\/(\d{1,15})$/,
    async ({ request, params, query }) => {
      const entry = named(params, query);
      await readBody(request);
      await add({ ...entry, via: 'put' });
      return [200, entry];
    },
  ],
  [
    'POST',
    /^\/uploads\/([^/]+)\/(\d{1,15})$/,
    async ({ request, params, query }) => {
      const entry = named(params, query);
      const body = await readBody(request, 16 * 1024 * 1024);
      const digest = createHash('sha256').update(body).digest('hex');
      if (digest !== request.headers['x-digest']) {
        throw new HttpError(422, 'The body is not what X-Digest says.');
      }
      await add({ ...entry, via: 'upload', digest });
      return [201, { ...entry, digest }];
    },
  ],
  [
    'GET',
    /^\/entries\/([^/]+)$/,
    async ({ params }) => [200, { last: await last(decodeURIComponent(params[0])) }],
  ],
  [
    'GET',
    /^\/entries$/,
    async ({ query }) => {
      return [200, await receivedAfter(...pageOf(query))];
    },
  ],
  [
    'GET',
    /^\/entries-in\/([a-z]+)$/,
    async ({ params, query }) => {
      const found = await copiesReceivedAfter(params[0], ...pageOf(query));
      if (found === null) throw new HttpError(404, 'The app has no such database.');
      return [200, found];
    },
  ],
];

async function answer(request) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  for (const [method, path, handle] of routes) {
    const match = path.exec(pathname);
    if (match && method === request.method) {
      return handle({ request, query: searchParams, params: match.slice(1) });
    }
  }
  throw new HttpError(404, 'There is nothing here.');
}

/** @returns the status and the text to answer an error with */
function inWords(error) {
  const status = error.status ?? 500;
  if (status === 500) console.error(error);
  return [status, { error: status === 500 ? `It failed: ${error.message}` : error.message }];
}

const server = createServer(async (request, response) => {
  const [status, value] = await answer(request).catch(inWords);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
});

const sockets = new WebSocketServer({ server, path: '/socket', maxPayload: 64 * 1024 });
/** Messages that are being answered. */
const underWay = new Set();
let ending = false;

sockets.on('connection', (socket) => {
  socket.on('error', (error) => console.error(`a WebSocket broke: ${error.message}`));
  socket.on('message', (data) => {
    if (ending) return; // whoever wrote it hears 1012, and writes it again elsewhere
    const answering = take(data.toString())
      .catch((error) => ({ error: inWords(error)[1].error }))
      .then((said) => socket.send(JSON.stringify(said)))
      .finally(() => underWay.delete(answering));
    underWay.add(answering);
  });
});

async function take(text) {
  const entry = checked(readJson(text));
  await add({ ...entry, via: 'socket' });
  return { number: entry.number };
}

/** What is being answered is answered to its end; WebSockets are told to come again. */
process.on('SIGTERM', async () => {
  ending = true;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  await Promise.allSettled(underWay);
  for (const socket of sockets.clients) socket.close(1012, 'restarting');
  await closed;
  await close();
  process.exit(0);
});

await open();
server.listen(Number(process.env.PORT), () => console.log(`listening on ${process.env.PORT}`));
