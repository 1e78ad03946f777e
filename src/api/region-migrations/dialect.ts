import { z } from 'zod';
import { type Upgrade, type VerifyMode, verifyModes } from '../../migration/migration.js';
import { Refusal } from '../../shared/errors.js';
import { requireShallow } from '../json.js';

/** What is asked for, and how: the documented form is answered as documented, with an array of one. */
export interface CreateRequest {
  readonly destination: string;
  /** Empty: the same as the source's. */
  readonly dstAppName: string;
  readonly verify: VerifyMode;
  /** Versions that addons are to have in the destination, by product. */
  readonly upgrade: Upgrade;
  readonly isDocumentedForm: boolean;
}

/** The body that real clients send. */
export const createBody = z
  .object({
    migration: z.object({
      destination: z.string(),
      dst_app_name: z.string().optional(),
      verify: z
        .enum(verifyModes)
        .optional()
        .describe(
          'Whether databases are compared with their copies before a switch; by content, if not given',
        ),
      upgrade: z
        .record(z.string().max(50), z.string().max(50))
        .optional()
        .describe('Major versions that addons are to have in the destination, by product'),
    }),
  })
  .meta({ examples: [{ migration: { destination: 'osc-secnum-fr1' } }] });

/** `{"migration": {"osc-secnum-fr1"}}`: no JSON, but what the documentation tells people to send. */
const documentedForm = /^\s*\{\s*"migration"\s*:\s*\{\s*"([^"\\]+)"\s*\}\s*\}\s*$/;

const hint =
  'Send {"migration": {"destination": "<region>", "dst_app_name": "<name, if another>"}}.';

/**
 * Reads the body of "create a migration" in either of its two dialects.
 * @throws Refusal `bad-request` for what is in neither
 */
export function readCreateRequest(text: string): CreateRequest {
  const destination = documentedForm.exec(text)?.[1];
  if (destination !== undefined)
    return {
      ...{ destination, dstAppName: '', verify: 'content', upgrade: {} },
      isDocumentedForm: true,
    };
  const { success, data } = createBody.safeParse(parse(text));
  if (!success) throw new Refusal('bad-request', `The body is not a migration. ${hint}`);
  const { migration } = data;
  return {
    destination: migration.destination,
    dstAppName: migration.dst_app_name ?? '',
    verify: migration.verify ?? 'content',
    upgrade: migration.upgrade ?? {},
    isDocumentedForm: false,
  };
}

function parse(text: string): unknown {
  requireShallow(text);
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal('bad-request', `The body is not JSON. ${hint}`);
  }
}
