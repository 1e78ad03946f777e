import type { FastifyReply } from 'fastify';

/**
 * Begins to answer with server-sent events, at once: what is quiet may have none to send for long.
 *
 * @returns what fires when the client is gone
 */
export function beginEvents(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.sse.onClose(() => gone.abort());
  reply.sse.sendHeaders();
  reply.raw.flushHeaders(); // Node.js keeps them for the first event otherwise
  return gone.signal;
}
