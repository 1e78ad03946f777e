import { z } from 'zod';

const answer = z.object({
  error: z.string().optional(),
  results: z
    .array(
      z.object({
        error: z.string().optional(),
        series: z
          .array(
            z.object({
              name: z.string().default(''),
              tags: z.record(z.string(), z.string()).default({}),
              columns: z.array(z.string()),
              values: z.array(z.array(z.unknown())).default([]),
            }),
          )
          .default([]),
      }),
    )
    .default([]),
});

/** Speaks to an InfluxDB 1.x as an app would, by the URL that the app is given. */
export class InfluxdbClient {
  readonly #url: URL;

  constructor(url: string) {
    this.#url = new URL(url);
  }

  get database(): string {
    return this.#url.pathname.slice(1);
  }

  /** @throws what it says against a query */
  async query(q: string, db = this.database) {
    const response = await fetch(`${this.#url.origin}/query?${new URLSearchParams({ db })}`, {
      method: 'POST',
      headers: this.#headers,
      body: new URLSearchParams({ q, epoch: 'ns' }),
    });
    // Numbers are kept as they are written, since some have more digits than a double holds.
    const text = (await response.text()).replaceAll(/(?<=[[,])-?\d+(?:\.\d+)?(?=[,\]])/g, '"$&"');
    const { error, results } = answer.parse(JSON.parse(text));
    const said = error ?? results.find((result) => result.error)?.error;
    if (said) throw new Error(said);
    return results.flatMap(({ series }) => series);
  }

  /** Writes points, in line protocol. */
  async write(lines: readonly string[], { db = this.database, rp = '' } = {}): Promise<void> {
    const where = new URLSearchParams({ db, ...(rp && { rp }) });
    const response = await fetch(`${this.#url.origin}/write?${where}`, {
      method: 'POST',
      headers: this.#headers,
      body: lines.join('\n'),
    });
    if (response.status !== 204) throw new Error(await response.text());
  }

  /** All that it holds: settings, users, and every point of every database. */
  async everything(): Promise<Record<string, unknown>> {
    const users = await this.query('SHOW USERS');
    const found: Record<string, unknown> = {
      users,
      queries: await this.query('SHOW CONTINUOUS QUERIES'),
    };
    for (const user of firsts(users)) {
      found[`grants ${user}`] = await this.query(`SHOW GRANTS FOR "${user}"`);
    }
    for (const db of firsts(await this.query('SHOW DATABASES'))) {
      const policies = await this.query(`SHOW RETENTION POLICIES ON "${db}"`);
      found[db] = { policies, series: await this.query('SHOW SERIES', db) };
      for (const rp of firsts(policies)) {
        found[`${db} ${rp}`] = await this.query(`SELECT * FROM "${rp}"./.*/ GROUP BY *`, db);
      }
    }
    return found;
  }

  get #headers() {
    const { username, password } = this.#url;
    return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
  }
}

function firsts(series: readonly { values: unknown[][] }[]): string[] {
  return series.flatMap(({ values }) => values.map(([first]) => String(first)));
}
