import { main } from './program.js';

// What failed half-way may still hold on to something; what was printed has been (on Linux, at once).
process.exit(await main(process.argv.slice(2)));
