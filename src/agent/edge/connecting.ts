import type { ClientRequest } from 'node:http';

/**
 * Watches a request get its connection. One that is not there after `patience` ms is given up: where
 * the network is cut, the kernel would go on for minutes, and look ever less often whether it is back.
 * @param connected called when the connection is there, if it comes to that
 * @param settled called then, and when it will not be; the first call counts
 */
export function watchConnecting(
  upstream: ClientRequest,
  patience: number,
  { connected, settled }: { connected: () => void; settled: (isThere: boolean) => void },
): void {
  upstream.once('close', () => settled(false));
  upstream.once('socket', (socket) => {
    const begin = () => {
      settled(true);
      connected();
    };
    if (!socket.connecting) return begin();
    const timer = setTimeout(() => {
      socket.destroy(new Error(`no connection after ${patience} ms`));
    }, patience);
    socket.once('connect', () => {
      clearTimeout(timer);
      begin();
    });
    socket.once('close', () => clearTimeout(timer));
  });
}
