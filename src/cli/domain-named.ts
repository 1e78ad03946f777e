import { z } from 'zod';
import type { Session } from './session.js';

const listed = z.object({ domains: z.array(z.object({ id: z.string(), name: z.string() })) });

/** The path of a domain of the app that is meant. @throws when it has none of that name */
export async function domainNamed({ client, app }: Session, name: string): Promise<string> {
  const path = `/apps/${app()}/domains`;
  const { domains } = await client.get(path, listed);
  const found = domains.find((domain) => domain.name === name.toLowerCase());
  if (!found) throw new Error(`${app()} has no domain ${name}. See godwit domains.`);
  return `${path}/${found.id}`;
}
