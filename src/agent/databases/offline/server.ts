import type { Account } from '../../../shared/account.js';
import type { Lasts } from './listing.js';
import type { Login } from './record.js';

/**
 * What an offline database runs: a server whose state is the files in its data folder and nothing
 * else. Whatever it has acknowledged is in these files once it has ended, however it did.
 */
export interface OfflineServer {
  /** Its data folder. */
  readonly data: string;
  /** Whom its files belong to; null for whoever runs this process. */
  readonly account: Account | null;
  /** Whether a file of the data folder is never written again, as long as it has this name. */
  readonly lasts: Lasts;
  isRunning(): Promise<boolean>;
  /**
   * Starts it, or adopts it when it runs already, and waits until it answers on this port of the host.
   * @throws when it does not; when `signal` fires, and then it may go on starting
   */
  start(port: number, signal?: AbortSignal): Promise<void>;
  /** Makes the app's login, in a server that is new. May be repeated. */
  welcome(port: number, login: Login): Promise<void>;
  /** Ends it; when this returns, nothing of it runs any more. @throws when `signal` fires, and then it may go on ending */
  stop(signal?: AbortSignal): Promise<void>;
  /** Ends it at once, whatever state it is in. */
  crash(): Promise<void>;
  /** Ends it without ceremony, and removes its data. */
  wipe(): Promise<void>;
}
