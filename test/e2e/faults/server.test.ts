import { describe } from 'vitest';
import { survives } from './faults.js';

describe('the control plane', () => survives('server', [/Switch/, /Redirect/]));
