import type pg from 'pg';
import { databasesOf } from './logical/names.js';
import type { Platform } from './platform.js';
import type { LinkKind } from './record.js';
import type { Server } from './server.js';

/**
 * How a primary can be followed from another platform: by its files only where they are laid out
 * the same way, and the text that indexes sort is sorted the same way; else by rows.
 */
export async function chooseLink(server: Server, own: Platform, to: Platform): Promise<LinkKind> {
  if (own.major !== to.major || own.architecture !== to.architecture) return 'logical';
  if (own.libc === to.libc) return 'physical';
  for (const { name } of await server.query(databasesOf)) {
    if (await server.query(sortsByLocale, { database: name })) return 'logical';
  }
  return 'physical';
}

/**
 * Whether an index sorts text as the C library says, which is not the same in all versions of it.
 * PostgreSQL notes a version for those collations only (documentation, "Managing Collations").
 */
async function sortsByLocale(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_index i CROSS JOIN unnest(i.indcollation) AS used (oid)
       JOIN pg_collation c ON c.oid = used.oid
       JOIN pg_database d ON d.datname = current_database()
      WHERE i.indrelid >= 16384
        AND (c.collprovider = 'c' AND c.collversion IS NOT NULL
             OR c.collprovider = 'd' AND d.datlocprovider = 'c' AND d.datcollversion IS NOT NULL)
      LIMIT 1`,
  );
  return rowCount !== 0;
}
