import { Agent, type ClientRequest, request } from 'node:http';
import { watchConnecting } from './connecting.js';
import type { Admission } from './entrance.js';
import { EventStream, isEventStream } from './event-stream.js';
import { requestHeaders, trailersOf } from './headers.js';
import { type Call, isRepeatable, mayHaveContent } from './inbound.js';
import type { EdgeLimits } from './limits.js';
import { PatientAgent } from './patient-socket.js';
import { watchBody } from './slow-body.js';
import type { Visit } from './visit.js';

/**
 * Connections that are kept for later requests, for less long than those who accept them keep
 * them (an edge: 75 s; an app, by Node.js' default: 5 s).
 */
const kept = new Agent({ keepAlive: true, timeout: 4_000, maxFreeSockets: 256 });

/** For those that are not. */
const single = new PatientAgent();

/** What came of passing a request on. `unreached`: nothing of it was used, or it may be repeated; it may go elsewhere. */
export type Outcome = 'answered' | 'unreached' | 'broken';

/**
 * Passes one request to a target, and its answer back, both as they come. The body of the request
 * is not touched before the target is there to take it.
 */
export function exchange(
  call: Call,
  { target, settle }: Admission,
  parts: { visit: Visit; fresh: boolean; limits: Pick<EdgeLimits, 'body' | 'connect' | 'forward'> },
): Promise<Outcome> {
  const { visit, fresh, limits } = parts;
  // Only a request that may be sent twice goes over a connection that may just be closing.
  const reuses = !fresh && isRepeatable(call);
  const headers = requestHeaders(call, { provenance: visit.provenance, token: target.token });
  const upstream = request({
    host: target.host,
    port: target.port,
    method: call.method,
    path: call.url,
    // Not `close`: an app that answers before it has read everything would cut its answer off.
    headers: { ...headers, connection: 'keep-alive' },
    agent: reuses ? kept : single,
    setHost: false,
  });
  const done = target.token === null ? visit.entrance.begin() : () => undefined;
  upstream.once('close', done);
  let hasLeft = false;
  const stay = call.onceOver(() => {
    hasLeft = true;
    upstream.destroy();
  });

  return new Promise<Outcome>((resolve) => {
    let sent = false;
    let isAnswered = false;
    watchConnecting(upstream, limits.connect, {
      connected: () => {
        sent = true;
        // Clients are watched by the edge that they reached; beyond it, the line may be cut for a while.
        sendBody(call, upstream, limits.body + (visit.isHandedOn ? limits.forward : 0));
      },
      settled: settle,
    });
    upstream.on('error', () => {
      if (isAnswered) return; // how the answer ends is what counts
      stay();
      // An app that breaks off would do so again; another edge that does has died, or its line has.
      const isPassing = upstream.reusedSocket || target.token !== null;
      const unused = !sent || (isRepeatable(call) && isPassing);
      resolve(unused ? 'unreached' : 'broken');
    });
    upstream.once('response', (answer) => {
      isAnswered = true;
      const head = {
        status: answer.statusCode ?? 502,
        message: answer.statusMessage ?? '',
        headers: visit.additions(answer.headers),
      };
      const isLongLived =
        target.token === null && isEventStream(answer) && mayHaveContent(call.method, head.status);
      const events = isLongLived ? new EventStream(answer) : null;
      try {
        call.pass(head, { answer, content: events ?? answer }, () => {
          // What the app did not care to read, the client still wants to be rid of.
          call.body.unpipe(upstream).resume();
          resolve('answered');
        });
        visit.answer(head.status);
        answer.once('error', () => {
          if (!hasLeft && !events?.isOver) visit.breakOff();
        });
        if (events) {
          const end = async () => {
            await events.end();
            upstream.destroy();
          };
          upstream.once('close', visit.entrance.linger({ endsAt: 'hold', end }));
          done(); // it has no end to wait for
        }
      } catch {
        upstream.destroy();
        resolve('broken'); // what it answered is no HTTP
      }
    });
  });
}

function sendBody(call: Call, upstream: ClientRequest, patience: number) {
  if (!call.hasBody) {
    upstream.end();
    return;
  }
  if (call.expectsContinue) call.writeContinue();
  call.body.once('end', () => {
    const trailers = trailersOf(call.trailers);
    if (Object.keys(trailers).length > 0) upstream.addTrailers(trailers);
  });
  call.body.pipe(upstream);
  watchBody(call, upstream, patience);
}
