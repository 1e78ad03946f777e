import { describe } from 'vitest';
import { survives } from './faults.js';

describe("the source's agent", () => survives('source', [/Hold/]));
