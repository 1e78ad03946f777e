import { existsSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import type { Binaries } from '../binaries.js';
import type { Piece } from './unpack.js';

/** What a server answers to a command: a row of a result, or a piece of what it copies to us. */
export type Answer = { readonly row: readonly string[] } | { readonly piece: CopyPiece };

/** A piece of what a server copies to us; the library's memory again when the next answer is asked for. */
export interface CopyPiece extends Piece {
  /** Its first byte. */
  readonly kind: number;
}

/** The library that the programs of a server use themselves; the loader knows where the system has its own. */
export function libpqOf({ bin }: Binaries): string {
  const packaged = join(bin, '..', 'lib', 'libpq.so.5');
  return existsSync(packaged) ? packaged : 'libpq.so.5';
}

/** Values of `ConnStatusType` and `ExecStatusType` (PostgreSQL's `libpq-fe.h`). */
const connectionOk = 0;
const result = { commandOk: 1, tuplesOk: 2, copyOut: 3 };

/** The functions that are used (PostgreSQL documentation, chapter "libpq"). Pointers stay what they are. */
function load(library: string) {
  // Node.js has an OpenSSL of its own; the library is to find the one that it was made for.
  const libpq = koffi.load(library, { deep: true });
  const connect: (info: string) => unknown = libpq.func('void *PQconnectdb(const char *info)');
  const status: (connection: unknown) => number = libpq.func('int PQstatus(void *connection)');
  const errorMessage: (connection: unknown) => string = libpq.func(
    'const char *PQerrorMessage(void *connection)',
  );
  const finish: (connection: unknown) => void = libpq.func('void PQfinish(void *connection)');
  const sendQuery: (connection: unknown, command: string) => number = libpq.func(
    'int PQsendQuery(void *connection, const char *command)',
  );
  const getResult: (connection: unknown) => unknown = libpq.func(
    'void *PQgetResult(void *connection)',
  );
  const resultStatus: (result: unknown) => number = libpq.func('int PQresultStatus(void *result)');
  const resultErrorMessage: (result: unknown) => string = libpq.func(
    'const char *PQresultErrorMessage(void *result)',
  );
  const rows: (result: unknown) => number = libpq.func('int PQntuples(void *result)');
  const columns: (result: unknown) => number = libpq.func('int PQnfields(void *result)');
  const value: (result: unknown, row: number, column: number) => string = libpq.func(
    'const char *PQgetvalue(void *result, int row, int column)',
  );
  const clear: (result: unknown) => void = libpq.func('void PQclear(void *result)');
  const getCopyData: (connection: unknown, data: bigint[], isAsync: number) => number = libpq.func(
    'int PQgetCopyData(void *connection, _Out_ void **data, int isAsync)',
  );
  const free: (data: bigint) => void = libpq.func('void PQfreemem(void *data)');
  const copy: (to: Buffer, from: bigint, length: number) => void = koffi
    .load('libc.so.6')
    .func('void *memcpy(void *to, void *from, size_t length)');
  return {
    ...{ connect, status, errorMessage, finish, sendQuery, getResult, resultStatus },
    ...{ resultErrorMessage, rows, columns, value, clear, getCopyData, free, copy },
  };
}

/**
 * A session by PostgreSQL's own client library, which blocks until the server answers. Node.js takes
 * what comes over TLS in a turn of its event loop for every 8 kB that the server sends, and that takes
 * longer than anything else that is done with it.
 */
export class LibpqSession {
  readonly #libpq: ReturnType<typeof load>;
  readonly #connection: unknown;

  /** @throws when the server cannot be reached or refuses */
  constructor(library: string, connectionString: string) {
    this.#libpq = load(library);
    this.#connection = this.#libpq.connect(connectionString);
    if (this.#libpq.status(this.#connection) === connectionOk) return;
    const error = this.#error();
    this.close();
    throw error;
  }

  /** Everything that a command is answered with, in order. @throws when it fails */
  *ask(command: string): Generator<Answer, void> {
    const { sendQuery, getResult, resultStatus, resultErrorMessage, clear } = this.#libpq;
    if (sendQuery(this.#connection, command) === 0) throw this.#error();
    for (;;) {
      const found = getResult(this.#connection);
      if (found === null) return;
      try {
        const status = resultStatus(found);
        if (status === result.tuplesOk) yield* this.#rowsOf(found);
        else if (status === result.copyOut) yield* this.#pieces();
        else if (status !== result.commandOk) throw new Error(resultErrorMessage(found).trim());
      } finally {
        clear(found);
      }
    }
  }

  close(): void {
    this.#libpq.finish(this.#connection);
  }

  *#rowsOf(found: unknown): Generator<Answer, void> {
    const { rows, columns, value } = this.#libpq;
    const width = columns(found);
    for (let row = 0; row < rows(found); row += 1) {
      yield { row: Array.from({ length: width }, (_, column) => value(found, row, column)) };
    }
  }

  *#pieces(): Generator<Answer, void> {
    const { getCopyData, free, copy } = this.#libpq;
    const data = [0n];
    for (;;) {
      const length = getCopyData(this.#connection, data, 0);
      if (length === -1) return; // the result that follows says how it ended
      if (length < 0) throw this.#error();
      const [address = 0n] = data;
      try {
        yield { piece: pieceAt(address, length, copy) };
      } finally {
        free(address);
      }
    }
  }

  #error(): Error {
    return new Error(this.#libpq.errorMessage(this.#connection).trim());
  }
}

/** Without memory of its own: to have that collected takes as long as to fill it. */
function pieceAt(
  address: bigint,
  length: number,
  copy: (to: Buffer, from: bigint, length: number) => void,
): CopyPiece {
  return {
    length,
    kind: koffi.decode(address, 'uint8_t'),
    copy(target, targetStart, sourceStart) {
      const count = Math.min(target.length - targetStart, length - sourceStart);
      copy(target.subarray(targetStart), address + BigInt(sourceStart), count);
      return count;
    },
  };
}
