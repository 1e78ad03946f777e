import type { Writable } from 'node:stream';
import type { Call } from './inbound.js';

/**
 * Ends a request whose client sends nothing of the body that it owes for `patience` ms. It may
 * take its time while whoever takes the body does not, and while it is being answered.
 */
export function watchBody(call: Call, taker: Writable, patience: number): void {
  const timer = setTimeout(() => {
    const isBeingAnswered = call.status !== null;
    if (call.isAnswered) call.destroy();
    else if (isBeingAnswered || taker.writableNeedDrain) timer.refresh();
    else {
      call.reply({ status: 408, headers: [] }, 'The rest of the request did not come.');
      taker.destroy();
    }
  }, patience);
  const refresh = () => timer.refresh();
  call.body.on('data', refresh);
  taker.on('drain', refresh);
  call.body.once('end', () => clearTimeout(timer));
  call.body.once('close', () => clearTimeout(timer));
}
