/** The HTTP status of each kind of refusal. */
export const statusOf = {
  'bad-request': 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  invalid: 422,
  'too-many': 429,
  unavailable: 503,
} as const;

/** Why something was refused. */
export type RefusalKind = keyof typeof statusOf;

/** What belongs to a refusal beside its message. */
export interface RefusalDetails {
  /** For `not-found`: what was looked for, such as `App`. */
  readonly resource?: string | undefined;
  /** For `conflict`: a word for programs, such as `frozen`. */
  readonly code?: string | undefined;
  /** For `too-many` and `unavailable`: after how many seconds it may be tried again. */
  readonly retryAfter?: number | undefined;
  /** For `invalid`: what is wrong with each field. */
  readonly fields?: Readonly<Record<string, readonly string[]>> | undefined;
}

/**
 * An error that the caller can do something about. Its message is written for people, says what
 * to do next, and never holds a secret, a path or a stack trace: it may be shown to anybody who
 * may make the call.
 */
export class Refusal extends Error {
  readonly kind: RefusalKind;
  readonly details: RefusalDetails;

  constructor(kind: RefusalKind, message: string, details: RefusalDetails = {}) {
    super(message);
    this.name = 'Refusal';
    this.kind = kind;
    this.details = details;
  }

  /** Something addressed by the caller does not exist (for them). */
  static notFound(resource: string, message: string): Refusal {
    return new Refusal('not-found', message, { resource });
  }

  /** The state of the addressed thing does not allow what was asked. */
  static conflict(code: string, message: string): Refusal {
    return new Refusal('conflict', message, { code });
  }

  /** One field of the request has a value that cannot be accepted. */
  static invalid(field: string, message: string): Refusal {
    return new Refusal('invalid', message, { fields: { [field]: [message] } });
  }
}

/** The message of anything thrown, for logs and step logs. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether it was thrown because there is no such file. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
