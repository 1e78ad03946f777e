import { InvalidArgumentError } from 'commander';
import type { Upgrade } from '../migration/migration.js';

/** Reads `PRODUCT=VERSION`, and adds it to those read before. */
function readUpgrade(text: string, before: Upgrade = {}): Upgrade {
  const [, product, version] = /^([a-z]+)=([\d.]+)$/.exec(text) ?? [];
  if (product === undefined || version === undefined) {
    throw new InvalidArgumentError('It must be a product and a version, such as postgresql=18.');
  }
  return { ...before, [product]: version };
}

/** The option of commands that begin a migration. */
export const upgradeOption = [
  '--upgrade <product=version>',
  'the version that a product has in the destination; may be given several times',
  readUpgrade,
] as const;
