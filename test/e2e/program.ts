import { join } from 'node:path';

/** What is run as `godwit`. */
export const program = join(import.meta.dirname, '../../bin/godwit.js');
