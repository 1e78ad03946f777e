import { afterEach } from 'vitest';
import { cleanUp } from './clean-up.js';

// Here, since this is run for each file; a module that several files share is not.
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});
