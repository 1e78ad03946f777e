import type {
  Contents,
  Following,
  Inspection,
  Look,
  Offer,
  Platform,
  Position,
  Seen,
} from '../../region/model.js';
import type { Logger } from '../../shared/logging.js';
import type { Rate } from '../../shared/pace.js';
import type { Networks } from '../networks.js';

/** What the databases of a host have of it. */
export interface Place {
  /** Address of the host, for followers in other regions. */
  readonly address: string;
  /** How fast each of them may be copied; as fast as can be, if not given. */
  readonly copyRate?: Rate;
  readonly logger: Logger;
}

/** What a new database should be. */
export interface Provision {
  readonly id: string;
  readonly plan: string;
  readonly version: string;
  readonly role: 'primary' | 'empty';
}

/** A product that a region offers as an addon. One folder each, in this room. */
export interface Product {
  readonly name: string;
  offer(): Promise<Offer>;
  /** Makes a database in `folder`; repeated, it finishes what was begun. */
  provision(folder: string, wanted: Provision): Promise<Database>;
  /** The database that `folder` holds; null when it is of another product. */
  open(folder: string): Promise<Database | null>;
}

/** Who is to follow a database. */
export interface Peer {
  /** What it runs on; what the database itself does, if not given. */
  readonly platform?: Platform | undefined;
  /** Where it comes from. */
  readonly from: Networks;
}

/** Lets what a database holds be compared with what a follower of it holds, while both live. */
export interface Comparable {
  contents(): Promise<Contents>;
  /** See the verb `digest` of the region protocol. */
  digest(part: string, looks: readonly Look[]): Promise<Seen | null>;
}

/**
 * A database of any product, with the verbs of the region protocol. All are idempotent; none is
 * called while another of the same database runs, except those that only look.
 */
export interface Database {
  readonly id: string;
  /** Not there for a product whose databases cannot be compared. */
  readonly comparable?: Comparable;
  /** Variables for the app; none while there is nothing to log in to. */
  variables(): Record<string, string>;
  /** @param to where it is to be followed; where it is itself, if not given */
  inspect(to?: Platform): Promise<Inspection>;
  /** Whether its removal was begun, and is to be finished. */
  readonly isBeingRemoved: boolean;
  /** Starts what should run and does not; called again and again. */
  tend(): Promise<void>;
  /** Ends its processes without changing what it is; {@link Database.tend} starts them again. */
  rest(): Promise<void>;
  /** Lets go of it: what goes on in this process ends, its own processes go on. */
  leave(): Promise<void>;
  /** Removes the database and all that it left elsewhere; may be repeated at any time. */
  remove(): Promise<void>;

  grantFollow(follower: string, peer: Peer): Promise<Record<string, unknown>>;
  revokeFollow(follower: string): Promise<void>;
  follow(endpoint: Record<string, unknown>): Promise<void>;
  following(): Promise<Following>;
  flush(signal?: AbortSignal): Promise<void>;
  position(): Promise<Position>;
  waitFor(position: Position, timeout: number): Promise<void>;
  /** Given up when `signal` fires, and then {@link Database.unfence} follows. */
  fence(signal?: AbortSignal): Promise<Position>;
  /** Lets followers in once more, to end anew. Not there where those are let in all the time. */
  fenceAgain?(signal?: AbortSignal): Promise<Position>;
  unfence(): Promise<void>;
  /** Given up when `signal` fires, and then {@link Database.standDown} follows. */
  promote(signal?: AbortSignal): Promise<void>;
  followBack(endpoint: Record<string, unknown>): Promise<void>;
  standDown(): Promise<void>;
}
