import type { Writable } from 'node:stream';
import type { Call } from './inbound.js';

/**
 * Ends a request whose client sends nothing of the body that it owes for `patience` ms. It may
 * take its time while whoever takes the body does not, and while it is being answered.
 */
export function watchBody(call: Call, taker: Writable, patience: number): void {
  let isSilent = false;
  const judge = () => {
    if (!isSilent || call.body.destroyed) return;
    if (call.isAnswered) call.destroy();
    else if (call.status !== null || taker.writableNeedDrain) timer.refresh();
    else {
      call.reply({ status: 408, headers: [] }, 'The rest of the request did not come.');
      taker.destroy();
    }
  };
  const timer = setTimeout(() => {
    isSilent = true;
    setImmediate(judge); // what has come, but waits to be read, is read before that
  }, patience);
  const refresh = () => {
    isSilent = false;
    timer.refresh();
  };
  const leave = () => {
    isSilent = false;
    clearTimeout(timer);
  };
  call.body.on('data', refresh);
  taker.on('drain', refresh);
  call.body.once('end', leave);
  call.body.once('close', leave);
}
