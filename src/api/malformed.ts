import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

/** What is wrong with what came, by the code that Node.js gives it. */
const known: Record<string, { status: number; code: string; error: string }> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    ...{ status: 408, code: 'request_timeout' },
    error: 'The request did not arrive in time. Send it again.',
  },
  HPE_HEADER_OVERFLOW: {
    ...{ status: 431, code: 'headers_too_large' },
    error: 'The address and headers are too large. Send less in them.',
  },
};
const otherwise = {
  ...{ status: 400, code: 'bad_request' },
  error: 'That is no HTTP request. Check its method, headers and the chunks of its body.',
};

/** Answers what is no request, and so never comes to a route, and ends its connection. */
export function answerMalformed(problem: { readonly code?: string }, socket: Socket): void {
  if (problem.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, ...body } = known[problem.code ?? ''] ?? otherwise;
  const text = JSON.stringify(body);
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(text)}`,
      'connection: close',
      '',
      text,
    ].join('\r\n'),
  );
}
