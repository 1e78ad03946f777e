import type { DomainTls, EdgeMode, Settings } from '../../region/model.js';

/** Where a web process of an app accepts connections. */
export interface Backend {
  readonly host: string;
  readonly port: number;
  /** Such as `web-1`; the same after a restart, and in another region. Without one, no session sticks to it. */
  readonly name?: string;
}

/** All that the edge knows of an app. */
export interface Route {
  readonly app: string;
  /** Lower-case host names, without a port. */
  readonly hostnames: readonly string[];
  /** The one of the host names that all requests are to be for, if any. */
  readonly canonical?: string | null;
  /** All of them off when not given. */
  readonly settings?: Settings;
  /** By host name; the others are shown the region's own. */
  readonly certificates?: ReadonlyMap<string, DomainTls>;
  readonly mode: EdgeMode;
  /** Web processes that accept connections. */
  readonly backends: readonly Backend[];
  /** With this token another region's edge reaches the app, whatever the Host. */
  readonly forwardToken: string | null;
}
