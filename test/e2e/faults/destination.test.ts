import { describe } from 'vitest';
import { survives } from './faults.js';

describe("the destination's agent", () => survives('destination', [/Start/]));
