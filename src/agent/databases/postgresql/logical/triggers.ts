import type pg from 'pg';
import { asOurselves, schema } from './names.js';

const modes = { A: 'ALWAYS', R: 'REPLICA' } as const;

/** Has no trigger fire for what streams in: it has fired where that was written. */
export async function silenceTriggers(client: pg.Client): Promise<void> {
  await asOurselves(client);
  const { rows } = await client.query<{ relation: string; name: string; enabled: 'A' | 'R' }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS relation, quote_ident(t.tgname) AS name, t.tgenabled AS enabled
       FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE NOT t.tgisinternal AND t.tgenabled IN ('A', 'R')`,
  );
  for (const { relation, name, enabled } of rows) {
    await client.query(`
      INSERT INTO ${schema}.silenced_trigger
        VALUES (${client.escapeLiteral(relation)}, ${client.escapeLiteral(name)}, '${modes[enabled]}');
      ALTER TABLE ONLY ${relation} DISABLE TRIGGER ${name}`);
  }
}

/** Puts back what {@link silenceTriggers} took away. */
export async function restoreTriggers(client: pg.Client): Promise<void> {
  await asOurselves(client);
  const { rows } = await client.query<{ relation: string; name: string; enabled: string }>(
    `SELECT relation, name, enabled FROM ${schema}.silenced_trigger`,
  );
  for (const { relation, name, enabled } of rows) {
    await client.query(`
      DELETE FROM ${schema}.silenced_trigger
       WHERE relation = ${client.escapeLiteral(relation)} AND name = ${client.escapeLiteral(name)};
      ALTER TABLE ONLY ${relation} ENABLE ${enabled} TRIGGER ${name}`);
  }
}
