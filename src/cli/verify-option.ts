import { Option } from 'commander';
import { verifyModes } from '../migration/migration.js';

/** Whether databases are compared with their copies before a switch. */
export const verifyOption = () =>
  new Option('--verify <what>', 'what of the data is compared before the switch')
    .choices(verifyModes)
    .default('content');
