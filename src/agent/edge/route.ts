import type { EdgeMode } from '../../region/model.js';

/** Where a web process of an app accepts connections. */
export interface Backend {
  readonly host: string;
  readonly port: number;
}

/** All that the edge knows of an app. */
export interface Route {
  readonly app: string;
  /** Lower-case host names, without a port. */
  readonly hostnames: readonly string[];
  readonly mode: EdgeMode;
  /** Web processes that accept connections. */
  readonly backends: readonly Backend[];
  /** With this token another region's edge reaches the app, whatever the Host. */
  readonly forwardToken: string | null;
}
