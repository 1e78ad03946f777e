import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import { asOurselves, schema } from './names.js';

/** Every large object, with what tells whether another server has the same. For a superuser. */
export const largeObjectsQuery = `
  SELECT m.oid AS id, pg_get_userbyid(m.lomowner)::text AS owner, coalesce(m.lomacl::text, '') AS acl,
         coalesce(obj_description(m.oid, 'pg_largeobject'), '') AS comment,
         (SELECT coalesce(md5(string_agg(p.pageno || md5(p.data), ' ' ORDER BY p.pageno)), '')
            FROM pg_largeobject p WHERE p.loid = m.oid) AS digest
    FROM pg_largeobject_metadata m`;

interface LargeObject {
  readonly id: number;
  readonly owner: string;
  readonly acl: string;
  readonly comment: string;
  readonly digest: string;
}

/** `INV_WRITE` of PostgreSQL's `libpq-fs.h`. */
const toWrite = 0x20000;

/** How many pages, of 2 KB each, travel at once. */
const pagesAtOnce = 512;

/**
 * Makes the large objects of a follower the same as its primary's. Streams do not carry them.
 * @throws when one has arrived otherwise
 */
export async function carryLargeObjects(primary: pg.Client, follower: pg.Client): Promise<void> {
  await asOurselves(follower);
  const wanted = await primary.query<LargeObject>(`SELECT * FROM ${schema}.large_objects()`);
  const found = await follower.query<LargeObject>(largeObjectsQuery);
  const had = new Map(found.rows.map((one) => [one.id, one]));
  const keep = new Set(wanted.rows.map(({ id }) => id));
  for (const { id } of found.rows) {
    if (!keep.has(id)) await follower.query('SELECT lo_unlink($1)', [id]);
  }
  for (const one of wanted.rows) {
    const before = had.get(one.id);
    if (before?.digest !== one.digest) {
      if (before) await follower.query('SELECT lo_unlink($1)', [one.id]);
      await copyOne(primary, follower, one.id);
    } else if (JSON.stringify(before) === JSON.stringify(one)) continue;
    await describeOne(follower, one);
    const arrived = await follower.query<LargeObject>(`${largeObjectsQuery} WHERE m.oid = $1`, [
      one.id,
    ]);
    if (!isDeepStrictEqual(arrived.rows, [one])) throw new Error(`Large object ${one.id} differs.`);
  }
}

async function copyOne(primary: pg.Client, follower: pg.Client, id: number): Promise<void> {
  await follower.query('SELECT lo_create($1)', [id]);
  for (let from = -1; ; ) {
    const { rows } = await primary.query<{ page: number; data: Buffer }>(
      `SELECT page, data FROM ${schema}.large_object_pages($1) WHERE page > $2 ORDER BY page LIMIT ${pagesAtOnce}`,
      [id, from],
    );
    const last = rows.at(-1);
    if (!last) return;
    // An object that was made longer by truncating it ends with a page of nothing.
    await follower.query(
      `SELECT CASE WHEN data = '' THEN lo_truncate64(lo_open($1, ${toWrite}), place)::text ELSE lo_put($1, place, data)::text END
         FROM (SELECT page::bigint * (current_setting('block_size')::int / 4) AS place, data
                 FROM unnest($2::int[], $3::bytea[]) AS piece (page, data) ORDER BY page OFFSET 0) pieces`,
      [id, rows.map(({ page }) => page), rows.map(({ data }) => data)],
    );
    from = last.page;
  }
}

/** Owner, comment and rights; the latter as the catalogue has them, whose form is the same in every version. */
async function describeOne(
  follower: pg.Client,
  { id, owner, acl, comment }: LargeObject,
): Promise<void> {
  await follower.query(`ALTER LARGE OBJECT ${id} OWNER TO ${follower.escapeIdentifier(owner)}`);
  await follower.query(`COMMENT ON LARGE OBJECT ${id} IS ${follower.escapeLiteral(comment)}`);
  await follower.query(
    `UPDATE pg_largeobject_metadata SET lomacl = nullif($2, '')::aclitem[] WHERE oid = $1`,
    [id, acl],
  );
}
